"""Which Answer an address stands for: a kept one leaves before anybody reads the address."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import time

from app.answers.answer import Identity

Headers = tuple[tuple[str, str], ...]

# About what an entry costs beside its texts.
_ENTRY_BYTES = 600


@dataclass(frozen=True, slots=True)
class Known:
    """What an address was answered by, as long as nothing it depends on changes.

    ``shared`` are the headers of a 200 and a
    304, ``own`` those of the 200 alone. ``until`` is a time in seconds of the clock, after
    which its freshness has to be looked at again.
    """

    identity: Identity
    shared: Headers
    own: Headers
    told: Mapping[str, object]
    generation: int
    until: float

    @property
    def etag(self) -> str:
        """Give the ETag among the headers."""
        return dict(self.shared)["ETag"]


class Addresses:
    """What is known of addresses: least recently used goes first, bounded in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._lock = Lock()

    def find(self, address: str) -> Known | None:
        """Give what is known of an address, unless its time is over."""
        with self._lock:
            known = self._known.get(address)
            if known is None:
                return None
            if known.until <= time():
                self._remove(address)
                return None
            self._known.move_to_end(address)
            return known

    def learn(self, address: str, known: Known) -> None:
        """Remember what an address was answered by."""
        with self._lock:
            self._remove(address)
            self._known[address] = known
            self._bytes += _size(address, known)
            while self._bytes > self._limit:
                self._remove(next(iter(self._known)))

    @property
    def bytes(self) -> int:
        """Give about how many bytes are kept."""
        return self._bytes

    def _remove(self, address: str) -> None:
        known = self._known.pop(address, None)
        if known is not None:
            self._bytes -= _size(address, known)


def _size(address: str, known: Known) -> int:
    return len(address) + len(known.identity.text) + _ENTRY_BYTES
