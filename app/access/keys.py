"""What a key looks like and what is kept of it. Keeps no secret: only a hash of the whole key."""

import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from app.access.caller import SCOPES

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH, _SUM_LENGTH = 8, 32, 6
_KEY = re.compile(r"(assay_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})", re.ASCII)
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key; ``sha256`` is of the whole key, in hex digits."""

    id: str
    name: str
    scopes: frozenset[str]
    sha256: str
    created_at: datetime

    def as_fact(self) -> dict[str, object]:
        """Give it in the form of the keys file."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
        }

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> "KeyRecord":
        """Read what ``as_fact`` gave.

        Raises:
            KeyError: a member is missing.
            TypeError, ValueError: a member does not fit.
        """
        record = cls(
            id=fact["id"],
            name=fact["name"],
            scopes=frozenset(fact["scopes"]),
            sha256=fact["sha256"],
            created_at=datetime.fromisoformat(fact["created_at"]),
        )
        if not re.fullmatch("[0-9A-Za-z]{8}", record.id) or not isinstance(record.name, str):
            raise ValueError("id or name")
        if not record.scopes or not record.scopes <= SCOPES.keys():
            raise ValueError("scopes")
        if not re.fullmatch("[0-9a-f]{64}", record.sha256):
            raise ValueError("sha256")
        return record


def new_key(name: str, scope: str) -> tuple[str, KeyRecord]:
    """Make a key for ``name``; the text is given this once and cannot be found again.

    Raises:
        ValueError: there is no such scope, or the name is empty, longer than 100 characters or
            not printable.
    """
    if scope not in SCOPES:
        raise ValueError(f"no scope {scope!r}; allowed: {', '.join(SCOPES)}")
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError("a key needs a name of 1 to 100 printable characters")
    key_id = _random(_ID_LENGTH)
    body = f"assay_{key_id}_{_random(_SECRET_LENGTH)}"
    key = body + _checksum(body)
    created_at = datetime.now(UTC).replace(microsecond=0)
    return key, KeyRecord(key_id, name, frozenset({scope}), hash_of(key), created_at)


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
