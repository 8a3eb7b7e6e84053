"""Interrupts what takes too long, again and again until it has ended. Knows no SQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from time import monotonic

from app.errors import ServiceError

# One interrupt may come between two pieces of work, where nobody notices it.
_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """One piece of work: until when it may take, and how it is interrupted."""

    until: float
    interrupt: Callable[[], object]
    late: Event = field(default_factory=Event)


class Watchdog:
    """Watches over many pieces of work by one thread, which rests while there are none."""

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._changed = Condition()
        self._thread: Thread | None = None

    @contextmanager
    def limit(
        self, seconds: float, interrupt: Callable[[], object], refusal: ServiceError
    ) -> Iterator[Event]:
        """Call ``interrupt`` once so many seconds have passed, and on until the block has ended.

        The Event tells whether the time is over; what fails from then on is that refusal.
        """
        watched = _Watched(monotonic() + seconds, interrupt)
        with self._changed:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = Thread(target=self._watch, daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield watched.late
        except Exception as error:
            if watched.late.is_set():
                raise refusal from error
            raise
        finally:
            with self._changed:
                self._watched.discard(watched)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._watched:
                    self._changed.wait()
                # Held meanwhile, so that nobody is interrupted who has ended.
                for each in self._watched:
                    if each.until <= monotonic():
                        each.late.set()
                        each.interrupt()
            Event().wait(_AGAIN_SECONDS)
