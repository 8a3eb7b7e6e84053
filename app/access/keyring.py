"""Names the Caller of a request by its key or token. Never says what was wrong with one."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.access.caller import ANONYMOUS, Caller
from app.access.keyfile import parse_keys
from app.access.keys import KeyRecord, hash_of, id_of
from app.access.tokens import Tokens, looks_like_token
from app.access.watched import Watched
from app.errors import ConflictingCredentialsError, CredentialError

# Compared with where no key has the id, so that a refusal always takes the same steps.
_NO_HASH = "0" * 64


class Keyring:
    """The keys of a file beside those that are ``given``, and the tokens that are trusted.

    A missing file holds no key. A broken one changes nothing: see ``Watched``. An id that is
    both given and in the file is the file's. Without ``tokens`` each token is refused.
    """

    def __init__(
        self, path: Path, given: Sequence[KeyRecord] = (), tokens: Tokens | None = None
    ) -> None:
        self._file = Watched[Mapping[str, KeyRecord]](path, _by_id, {})
        self._given = {record.id: record for record in given}
        self._tokens = tokens

    @property
    def problem(self) -> str:
        """Say what is wrong with the file, without its path and its content; empty if nothing."""
        return self._file.problem

    def caller(self, authorization: str | None, api_key: str | None) -> Caller:
        """Name the caller by the values of the headers ``Authorization`` and ``X-API-Key``.

        Raises:
            ConflictingCredentialsError: both are given and differ.
            CredentialError: what is given is not a key or token that is valid now.
        """
        if authorization is None:
            return ANONYMOUS if api_key is None else self._owner(api_key)
        bearer = _bearer(authorization)
        if api_key is not None and not _same(bearer, api_key):
            raise ConflictingCredentialsError("Authorization and X-API-Key differ; give one.")
        if api_key is None and self._tokens is not None and looks_like_token(bearer):
            return self._tokens.caller(bearer)
        return self._owner(bearer)

    def _owner(self, key: str) -> Caller:
        key_id = id_of(key) or ""
        record = self._file.content.get(key_id) or self._given.get(key_id)
        same = _same(hash_of(key), record.sha256 if record else _NO_HASH)
        if record is None or not same or record.state(datetime.now(UTC)) != "valid":
            raise CredentialError("The key given is not valid.")
        return Caller(record.id, record.scopes)


def _by_id(content: bytes) -> Mapping[str, KeyRecord]:
    return {record.id: record for record in parse_keys(content)}


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def _same(one: str, other: str) -> bool:
    # compare_digest takes text only if it is ASCII.
    return hmac.compare_digest(*(each.encode("utf-8", "surrogatepass") for each in (one, other)))
