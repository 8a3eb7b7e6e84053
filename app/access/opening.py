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
    place, family = settings.token_keys, settings.token_algorithms
    if isinstance(place, str) and family == "HS":
        raise KeyFileError("ASSAY_TOKEN_KEYS: a secret of HS is never fetched; give a file")
    trust = Trust(
        family,
        settings.token_issuer,
        settings.token_audience,
        settings.token_scopes,
        settings.token_seconds,
    )
    tokens = Tokens(place, trust)
    # What is fetched may come later: meanwhile no token is believed, and everybody else is served.
    if tokens.problem and not isinstance(place, str):
        raise KeyFileError(f"ASSAY_TOKEN_KEYS: {tokens.problem}")
    return tokens
