"""Names the Caller of a request by its key. Never says what was wrong with a key."""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.access.caller import ANONYMOUS, Caller
from app.access.keyfile import MOST_BYTES, KeyFileError, parse_keys
from app.access.keys import KeyRecord, hash_of, id_of
from app.errors import ConflictingCredentialsError, CredentialError

# Compared with where no key has the id, so that a refusal always takes the same steps.
_NO_HASH = "0" * 64

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of the keys file; ``stamp`` is what the file looked like."""

    stamp: _Stamp | None = None
    records: Mapping[str, KeyRecord] = field(default_factory=dict)
    problem: str = ""


class Keyring:
    """The keys of a file, read again whenever the file changes.

    A missing file holds no key. A broken one changes nothing: the last good reading, if
    there was one, goes on to hold, and ``problem`` says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = _Reading()

    @property
    def problem(self) -> str:
        """Say what is wrong with the file, without its path and its content; empty if nothing."""
        return self._current().problem

    def caller(self, authorization: str | None, api_key: str | None) -> Caller:
        """Name the caller by the values of the headers ``Authorization`` and ``X-API-Key``.

        Raises:
            ConflictingCredentialsError: both are given and differ.
            CredentialError: what is given is not a key of the file.
        """
        if authorization is None:
            return ANONYMOUS if api_key is None else self._owner(api_key)
        bearer = _bearer(authorization)
        if api_key is not None and not _same(bearer, api_key):
            raise ConflictingCredentialsError("Authorization and X-API-Key differ; give one.")
        return self._owner(bearer)

    def _owner(self, key: str) -> Caller:
        record = self._current().records.get(id_of(key) or "")
        same = _same(hash_of(key), record.sha256 if record else _NO_HASH)
        if record is None or not same:
            raise CredentialError("The key given is not valid.")
        return Caller(record.id, record.scopes)

    def _current(self) -> _Reading:
        held = self._reading
        try:
            if _stamp(self._path.stat()) != held.stamp:
                self._reading = held = self._read_again(held)
        except (FileNotFoundError, NotADirectoryError):
            self._reading = held = _Reading()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "unknown reason"
            self._reading = held = replace(held, stamp=None, problem=f"not readable: {reason}")
        return held

    def _read_again(self, held: _Reading) -> _Reading:
        with self._path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            content = file.read(MOST_BYTES + 1)
        try:
            records = {record.id: record for record in parse_keys(content)}
        except KeyFileError as error:
            return replace(held, stamp=stamp, problem=str(error))
        return _Reading(stamp, records)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def _same(one: str, other: str) -> bool:
    # compare_digest takes text only if it is ASCII.
    return hmac.compare_digest(*(each.encode("utf-8", "surrogatepass") for each in (one, other)))


def _stamp(seen: os.stat_result) -> _Stamp:
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
