"""Keeps Answers, and makes each one once however many ask for it at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal

from app.answers.answer import Answer, Identity
from app.answers.memory import MemoryCache

Outcome = Literal["kept", "made"]


class Keeper:
    """The Answers of a worker, whatever Generation they belong to: their identities tell."""

    def __init__(self, cache: MemoryCache) -> None:
        self._cache = cache
        self._flights: dict[str, tuple[Lock, int]] = {}
        self._lock = Lock()

    def answer(
        self, identity: Identity, seconds: int, make: Callable[[], Answer]
    ) -> tuple[Answer, Outcome]:
        """Give the kept Answer, or make it and keep it for so many seconds.

        Only one caller makes it; the others wait and get the same. Where making fails
        the failure is that caller's own, and the next one tries.
        """
        key = identity.text
        kept = self._cache.get(key)
        if kept is not None:
            return Answer.from_bytes(kept), "kept"
        with self._flight(key):
            kept = self._cache.get(key)
            if kept is not None:
                return Answer.from_bytes(kept), "kept"
            made = make()
            self._cache.set(key, made.as_bytes(), timeout=seconds)
            return made, "made"

    def drop_older(self, generation: int) -> int:
        """Forget the Answers of all other Generations; give how many there were."""
        return self._cache.drop_all_but(f"{generation}\n")

    @contextmanager
    def _flight(self, key: str) -> Iterator[None]:
        """Hold the one flight of that key; it is forgotten when nobody holds or awaits it."""
        with self._lock:
            lock, users = self._flights.get(key, (Lock(), 0))
            self._flights[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._flights[key]
                if users == 1:
                    del self._flights[key]
                else:
                    self._flights[key] = (lock, users - 1)
