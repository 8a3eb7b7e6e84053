"""Lets a few questions run at once, a few wait, and refuses the rest. Knows no SQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock

from app.engine.watch import Watchdog
from app.errors import BusyError, QuestionTooSlowError

_LONGEST_WAIT_SECONDS = 10.0


class Queue:
    """How many questions a worker works on at once, and how long each may take."""

    def __init__(self, running: int, waiting: int, seconds: float = 60.0) -> None:
        self._running = BoundedSemaphore(running)
        self._admitted = BoundedSemaphore(running + waiting)
        self._seconds = seconds
        self._turns = self._inside = 0
        self._counting = Lock()
        self.watchdog = Watchdog()

    @property
    def running(self) -> int:
        """Give how many have their turn."""
        return self._turns

    @property
    def waiting(self) -> int:
        """Give how many wait for theirs."""
        return max(self._inside - self._turns, 0)

    @contextmanager
    def limit(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have a question interrupted, in its block, when it takes longer than one may.

        Raises:
            QuestionTooSlowError: it was.
        """
        told = f"It takes more than {self._seconds:g} seconds; ask for less, or for an export."
        with self.watchdog.limit(self._seconds, interrupt, QuestionTooSlowError(told)):
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            BusyError: too many wait already, or the turn did not come in time.
        """
        if not self._admitted.acquire(blocking=False):
            raise BusyError("Too many questions are waiting; try again in a moment.")
        self._count(inside=1)
        try:
            if not self._running.acquire(timeout=_LONGEST_WAIT_SECONDS):
                raise BusyError("The questions before this one take too long; try again.")
            self._count(turns=1)
            try:
                yield
            finally:
                self._count(turns=-1)
                self._running.release()
        finally:
            self._count(inside=-1)
            self._admitted.release()

    def _count(self, *, inside: int = 0, turns: int = 0) -> None:
        with self._counting:
            self._inside += inside
            self._turns += turns


@dataclass(frozen=True, slots=True)
class Turns:
    """The queues of a worker, and how long an export may take when its turn has come."""

    questions: Queue
    exports: Queue
    export_seconds: float
