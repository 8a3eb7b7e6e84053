"""What a key looks like and what is kept of it. Keeps no secret: only a hash of the whole key."""

import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from app.access.caller import is_scope

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH, _SUM_LENGTH = 8, 32, 6
_KEY = re.compile(r"(assay_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})", re.ASCII)
_LONGEST_NAME = 100

State = Literal["valid", "not yet valid", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key; ``sha256`` is of the whole key, in hex digits.

    It is valid from ``not_before`` up to ``expires_at``, and until it is revoked.
    """

    id: str
    name: str
    scopes: frozenset[str]
    sha256: str
    created_at: datetime
    not_before: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> State:
        """Tell whether the key is valid at that moment, or why not."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return "expired"
        if self.not_before is not None and now < self.not_before:
            return "not yet valid"
        return "valid"

    def as_fact(self) -> dict[str, object]:
        """Give it in the form of the keys file; moments that are not set are left out."""
        moments = {name: getattr(self, name) for name in ("created_at", *_MOMENTS)}
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "sha256": self.sha256,
            **{name: at.isoformat() for name, at in moments.items() if at is not None},
        }

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> "KeyRecord":
        """Read what ``as_fact`` gave.

        Raises:
            KeyError: a member is missing.
            TypeError, ValueError: a member is unknown or does not fit.
        """
        record = cls(
            id=fact["id"],
            name=fact["name"],
            scopes=frozenset(fact["scopes"]),
            sha256=fact["sha256"],
            created_at=_moment(fact["created_at"]),
            **{name: _moment(fact[name]) for name in _MOMENTS if name in fact},
        )
        # A misspelt `expires_at` would be a key that never does.
        if fact.keys() - cls.__slots__ or not isinstance(fact["scopes"], list):
            raise ValueError("members")
        if not re.fullmatch("[0-9A-Za-z]{8}", record.id) or not isinstance(record.name, str):
            raise ValueError("id or name")
        if not record.scopes or not all(map(is_scope, record.scopes)):
            raise ValueError("scopes")
        if not re.fullmatch("[0-9a-f]{64}", record.sha256):
            raise ValueError("sha256")
        return record


_MOMENTS = ("not_before", "expires_at", "revoked_at")


def new_key(
    name: str,
    *scopes: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, KeyRecord]:
    """Make a key for ``name``; the text is given this once and cannot be found again.

    Raises:
        ValueError: a scope is no name of one, or there is none; the name is empty, longer than
            100 characters or not printable; or the key would never be valid.
    """
    wrong = [scope for scope in scopes if not is_scope(scope)]
    if wrong or not scopes:
        raise ValueError(f"no scope {', '.join(wrong)!r}; admin, refresh, read or a dataset's own")
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError("a key needs a name of 1 to 100 printable characters")
    created_at = datetime.now(UTC).replace(microsecond=0)
    if expires_at is not None and expires_at <= (not_before or created_at):
        raise ValueError("a key that expires before it is valid is none")
    key_id = _random(_ID_LENGTH)
    body = f"assay_{key_id}_{_random(_SECRET_LENGTH)}"
    key = body + _checksum(body)
    moments = (created_at, not_before, expires_at)
    return key, KeyRecord(key_id, name, frozenset(scopes), hash_of(key), *moments)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment


def id_of(key: str) -> str | None:
    """Give the id a text claims, None if it is no key or was misspelt."""
    match = _KEY.fullmatch(key)
    return match[2] if match and match[3] == _checksum(match[1]) else None


def hash_of(key: str) -> str:
    """Give what is kept of a key, for any text."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_SUM_LENGTH):
        rest, digit = divmod(rest, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
