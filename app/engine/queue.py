"""Lets a few questions run at once, a few wait, and refuses the rest. Knows no SQL."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from app.engine.doorstep import Doorstep
from app.engine.watch import Watchdog
from app.errors import BusyError, QuestionTooSlowError

_LONGEST_WAIT_SECONDS = 10.0


class Work:
    """What the engine has done so far for one request, in seconds; waiting for a turn is none.

    Used by one thread at a time.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the time of a block as work."""
        started = monotonic()
        try:
            yield
        finally:
            self.seconds += monotonic() - started


class Queue:
    """How many questions a worker works on at once, and how long each may take."""

    def __init__(
        self,
        running: int,
        waiting: int,
        seconds: float = 60.0,
        doorstep: Doorstep | None = None,
    ) -> None:
        self._most = self._free = running
        self._waiting = waiting
        self._line: deque[Lock] = deque()
        self._lock = Lock()
        self._seconds, self._doorstep = seconds, doorstep
        self.watchdog = Watchdog()

    @property
    def running(self) -> int:
        """Give how many have their turn."""
        return self._most - self._free

    @property
    def waiting(self) -> int:
        """Give how many wait for theirs."""
        return len(self._line)

    @property
    def full(self) -> bool:
        """Tell whether who comes now is refused."""
        return not self._free and len(self._line) >= self._waiting

    @contextmanager
    def limit(self, work: Work, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have a question interrupted, in its block, when its work takes longer than it may.

        Raises:
            QuestionTooSlowError: it was.
        """
        told = f"It takes more than {self._seconds:g} seconds; ask for less, or for an export."
        left = self._seconds - work.seconds
        with work.counted(), self.watchdog.limit(left, interrupt, QuestionTooSlowError(told)):
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            BusyError: too many wait already, or the turn did not come in time.
        """
        self._take()
        try:
            yield
        finally:
            self._pass_on()

    def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            called = None if self.full else Lock()
            if called is not None:
                called.acquire()
                self._line.append(called)
        if called is None:
            if self._doorstep is not None:
                self._doorstep.stand()
            raise BusyError("Too many questions are waiting; try again in a moment.")
        if called.acquire(timeout=_LONGEST_WAIT_SECONDS):
            return
        with self._lock:
            if called in self._line:
                self._line.remove(called)
                raise BusyError("The questions before this one take too long; try again.")

    def _pass_on(self) -> None:
        """Give the turn to who has waited longest: nobody who comes later is let in before."""
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1
