"""Cursors: where a page ended, in which Generation, for which question. Pure."""

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from math import isnan
from typing import Any

from app.query.rows import NanoTime

_SEAL_BYTES = 12


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the values of its last row in the order of the sort, None for null.

    It belongs to a Generation, and to one question: with another it is refused.
    """

    generation: int
    after: tuple[object, ...]

    def sealed(self, question: str, key: bytes) -> str:
        """Write it for an address; only who has the key can make one."""
        cells = [_written(value) for value in self.after]
        written = json.dumps([self.generation, cells], ensure_ascii=False, separators=(",", ":"))
        content = written.encode("utf-8", "surrogatepass")
        return (
            base64.urlsafe_b64encode(_seal(content, question, key) + content).decode().rstrip("=")
        )

    @classmethod
    def opened(cls, text: str, question: str, key: bytes) -> "Cursor":
        """Read it again.

        Raises:
            ValueError: it was not made here, or for another question.
        """
        try:
            sealed = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ValueError(text) from error
        seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, _seal(content, question, key)):
            raise ValueError(text)
        generation, after = json.loads(content)
        return cls(generation, tuple(_read(kind, value) for kind, value in after))


def _seal(content: bytes, question: str, key: bytes) -> bytes:
    about = question.encode("utf-8", "surrogatepass")
    return blake2b(
        b"%d\n%b\n%b" % (len(about), about, content), key=key, digest_size=_SEAL_BYTES
    ).digest()


def _written(value: object) -> Sequence[object]:
    if value is None or (isinstance(value, float) and isnan(value)):
        return ("", None)
    for kind, name, write, _ in _KINDS:
        if type(value) is kind:
            return (name, write(value))
    if isinstance(value, int):
        return ("i", str(int(value)))
    return ("s", str(value))


def _read(kind: str, value: str | None) -> object:
    if value is None:
        return None
    return next(read for _, name, _, read in _KINDS if name == kind)(value)


# How each kind of cell is written and read; `Any` is a cell of that kind.
_KINDS: Sequence[tuple[type, str, Callable[[Any], str], Callable[[str], object]]] = (
    (bool, "b", str, lambda text: text == "True"),
    (int, "i", str, int),
    (float, "f", repr, float),
    (Decimal, "m", str, Decimal),
    (datetime, "t", datetime.isoformat, datetime.fromisoformat),
    (date, "d", date.isoformat, date.fromisoformat),
    (time, "c", time.isoformat, time.fromisoformat),
    (bytes, "x", bytes.hex, bytes.fromhex),
    (NanoTime, "n", str, NanoTime),
    (str, "s", str, str),
)
