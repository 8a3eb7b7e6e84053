"""Opens what the settings say of keys and tokens."""

from app.access.keyfile import KeyFileError, parse_keys
from app.access.keyring import Keyring
from app.access.tokens import Tokens, Trust
from app.settings import Settings


def open_keyring(settings: Settings) -> Keyring:
    """Open the keys of the file and the environment, and the trusted tokens.

    Raises:
        KeyFileError: the environment's keys are broken, or tokens cannot be verified. A broken
            keys file is told by ``Keyring.problem`` instead.
    """
    try:
        given = parse_keys(settings.keys.encode()) if settings.keys else ()
    except KeyFileError as error:
        raise KeyFileError(f"ASSAY_KEYS: {error}") from None
    return Keyring(settings.keys_file, given, _tokens(settings))


def _tokens(settings: Settings) -> Tokens | None:
    if settings.token_keys is None:
        return None
    if not settings.token_issuer or not settings.token_audience:
        raise KeyFileError("ASSAY_TOKEN_KEYS: needs ASSAY_TOKEN_ISSUER and ASSAY_TOKEN_AUDIENCE")
    trust = Trust(
        settings.token_algorithms,
        settings.token_issuer,
        settings.token_audience,
        settings.token_scopes,
        settings.token_seconds,
    )
    tokens = Tokens(settings.token_keys, trust)
    if tokens.problem:
        raise KeyFileError(f"ASSAY_TOKEN_KEYS: {tokens.problem}")
    return tokens
