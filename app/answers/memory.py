"""A flask-caching back end in memory: least recently used goes first, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Sized
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Any

from flask_caching.backends.base import BaseCache

# An Answer larger than this share of the cache would push out too many others.
_LARGEST_SHARE = 8


class MemoryCache(BaseCache):
    """Keeps values that never change; ``limit`` bounds the sum of their lengths and their keys'."""

    def __init__(self, limit: int, default_timeout: int = 60) -> None:
        super().__init__(default_timeout)
        self._limit = limit
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[float, Sized]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Any:  # noqa: ANN401 - what was set, or None
        """Give what is kept, unless its time is over."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry[0] <= monotonic():
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def set(self, key: str, value: Sized, timeout: float | timedelta | None = None) -> bool:
        """Keep a value for ``timeout`` seconds; tells whether they were small enough."""
        kept = self.default_timeout if timeout is None else timeout
        seconds = kept.total_seconds() if isinstance(kept, timedelta) else float(kept)
        size = len(key) + len(value)
        with self._lock:
            self._remove(key)
            if seconds <= 0 or not self.has_room_for(key, value):
                return False
            self._entries[key] = (monotonic() + seconds, value)
            self._bytes += size
            while self._bytes > self._limit:
                self._remove(next(iter(self._entries)))
            return True

    def has_room_for(self, key: str, value: Sized) -> bool:
        """Tell whether a value is small enough to be kept."""
        return len(key) + len(value) <= self._limit // _LARGEST_SHARE

    def delete(self, key: str) -> bool:
        """Forget one key; tells whether it was kept."""
        with self._lock:
            return self._remove(key)

    def has(self, key: str) -> bool:
        """Tell whether a key is kept."""
        return self.get(key) is not None

    def clear(self) -> bool:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0
        return True

    def drop_all_but(self, prefix: str) -> int:
        """Forget what does not start with ``prefix``; give how many there were."""
        with self._lock:
            others = [key for key in self._entries if not key.startswith(prefix)]
            for key in others:
                self._remove(key)
        return len(others)

    @property
    def bytes(self) -> int:
        """Give how many bytes are kept."""
        return self._bytes

    def _remove(self, key: str) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= len(key) + len(entry[1])
        return True
