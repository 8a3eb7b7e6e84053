"""Keeps Answers, and makes each one once however many ask for it at the same time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import time

from app.answers.answer import KEPT, MADE, Answer, Identity, Outcome
from app.answers.memory import MemoryCache
from app.answers.shared import Make, Shared

_PROBE = "probe"
# So many are held where nobody settles them.
_MOST_LANDED = 64


@dataclass(slots=True)
class _Flight:
    """One making of an Answer, and how many hold or await it."""

    lock: Lock = field(default_factory=Lock)
    users: int = 0
    made: Answer | None = None


class Keeper:
    """The Answers of a worker, whatever Generation they belong to: their identities tell.

    What is not in its memory may be ``shared`` by another worker. ``waits`` is called by who is
    about to wait for somebody else.
    """

    def __init__(
        self,
        cache: MemoryCache,
        shared: Shared | None = None,
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._cache = cache
        self._shared = shared
        self._waits = waits
        self._flights: dict[str, _Flight] = {}
        self._landed: deque[tuple[str, _Flight]] = deque()
        self._lock = Lock()

    def answer(self, identity: Identity, seconds: int, make: Make) -> tuple[Answer, Outcome]:
        """Give the kept Answer, or make it and keep it for so many seconds.

        Only one caller makes it; the others wait and get the same. Where making fails
        the failure is that caller's own, and the next one tries.
        """
        key = identity.text
        flight = self._kept_or_joined(key)
        if isinstance(flight, Answer):
            return flight, KEPT
        try:
            waited = self._hold(flight.lock)
            try:
                made = flight.made
                # Who waited takes what is too large to be kept, or kept for no time.
                if made is not None and (waited or made.until > time()):
                    return made, KEPT
                # If this fails those who wait find nothing, and the next one tries.
                flight.made = None
                flight.made, outcome = self._shared_or_made(identity, seconds, make)
                if seconds > 0:
                    self._land(key, flight)
                return flight.made, outcome
            finally:
                flight.lock.release()
        finally:
            self._leave(key, flight)

    def settle(self) -> None:
        """Put away what was made: that takes its time, and nobody has to wait for it."""
        while self._landed:
            try:
                key, flight = self._landed.popleft()
            except IndexError:
                # Another thread was quicker.
                return
            made = flight.made
            if made is not None:
                kept = made.fitted() if self._cache.has_room_for(key, made) else made
                self._cache.set(key, kept, timeout=made.until - time())
            self._leave(key, flight)

    def kept(self, identity: Identity) -> Answer | None:
        """Give the Answer if it is kept; makes nothing."""
        return self._kept(identity.text)

    def works(self) -> bool:
        """Tell whether what is kept can be read again; a cache of no bytes works as it should."""
        probe = self._cache.set(_PROBE, _PROBE.encode(), timeout=1)
        works = not probe or self._cache.get(_PROBE) == _PROBE.encode()
        return works and (self._shared is None or self._shared.works())

    def drop_older(self, generation: int) -> int:
        """Forget the Answers of all other Generations; give how many there were."""
        self.settle()
        return self._cache.drop_all_but(f"{generation}\n")

    @property
    def bytes(self) -> int:
        """Give how many bytes are kept."""
        return self._cache.bytes

    def _kept(self, key: str) -> Answer | None:
        kept: Answer | None = self._cache.get(key)
        if kept is not None:
            return kept
        flight = self._flights.get(key)
        made = None if flight is None else flight.made
        return made if made is not None and made.until > time() else None

    def _shared_or_made(
        self, identity: Identity, seconds: int, make: Make
    ) -> tuple[Answer, Outcome]:
        if self._shared is None or seconds <= 0 or not identity.shareable:
            return make().lasting(seconds), MADE
        self._waits()
        shared = self._shared.answer(identity.text, seconds, lambda: make().lasting(seconds))
        return shared[0].lasting(seconds), shared[1]

    def _hold(self, lock: Lock) -> bool:
        """Take a lock that another may have for long; tell whether another had it."""
        if lock.acquire(blocking=False):
            return False
        self._waits()
        return lock.acquire()

    def _kept_or_joined(self, key: str) -> Answer | _Flight:
        """Give what is kept; else the one flight of that key, to be left in the end."""
        with self._lock:
            kept = self._kept(key)
            if kept is not None:
                return kept
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight()
            flight.users += 1
            return flight

    def _land(self, key: str, flight: _Flight) -> None:
        """Hold a flight until what was made is settled."""
        with self._lock:
            flight.users += 1
            self._landed.append((key, flight))
        if len(self._landed) > _MOST_LANDED:
            self.settle()

    def _leave(self, key: str, flight: _Flight) -> None:
        """Forget a flight when nobody holds or awaits it."""
        with self._lock:
            flight.users -= 1
            if not flight.users:
                del self._flights[key]
