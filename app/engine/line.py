"""The line: answers that are made one after the other, by one thread of several at a time."""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread, get_ident
from time import perf_counter, sleep

from app.engine.doors import LONG_SECONDS
from app.engine.hands import Hands
from app.errors import BusyError

# A crowd is let in until nobody came for so long.
_GATHER_SECONDS = 0.000_5
# Somebody has been called and is on the way.
_CALLED = 0


class Line:
    """Works for one after the other, with the ``hands``; who takes long lets the next one begin.

    In a ``crowd`` those who come are let in first, so that they are told soon if they are too many.
    """

    def __init__(self, most: int, hands: Hands) -> None:
        self._most, self._hands = most, hands
        self._line: deque[Callable[[], object]] = deque()
        self._lock = Lock()
        self._holder: int | None = None
        self._since = 0.0
        self._came = 0
        self._sought = Event()
        self.crowd = False
        Thread(target=self._watch, daemon=True).start()

    def __len__(self) -> int:
        return len(self._line)

    @property
    def half_taken(self) -> bool:
        """Tell whether half of its places are taken: so many are a crowd."""
        return 2 * len(self._line) >= self._most

    @property
    def running(self) -> int:
        """Give how many are being worked for."""
        return int(bool(self._holder))

    def put(self, work: Callable[[], object]) -> None:
        """Have something done when its turn has come.

        Raises:
            BusyError: too many wait already.
        """
        with self._lock:
            if len(self._line) >= self._most:
                raise BusyError("Too many questions are waiting; try again in a moment.")
            self._line.append(work)
            self._came += 1
            free = self._holder is None
            if free:
                self._holder = _CALLED
        if free:
            self._call(gather=self.crowd)
        else:
            self._sought.set()

    def pass_on(self, thread: int) -> None:
        """Let the next one begin if it is that thread's turn."""
        with self._lock:
            if self._holder != thread:
                return
            waits = bool(self._line)
            self._holder = _CALLED if waits else None
        if waits:
            self._call()

    def _call(self, *, gather: bool = False) -> None:
        self._hands.put(lambda: self._serve(gather=gather))

    def _serve(self, *, gather: bool) -> None:
        """Work for one after the other until the line is empty, or who came has left."""
        if gather:
            self._gather()
        while work := self._taken():
            try:
                work()
            except BaseException:
                self.pass_on(get_ident())
                raise
            if self._holder != get_ident():
                return
            if self.crowd and not self._line:
                self._gather()

    def _taken(self) -> Callable[[], object] | None:
        with self._lock:
            if self._holder not in {_CALLED, get_ident()}:
                # Somebody else was called meanwhile.
                return None
            self._holder = get_ident() if self._line else None
            self._since = perf_counter()
            return self._line.popleft() if self._line else None

    def _gather(self) -> None:
        """Let in who waits before the doors, and see how many they are."""
        self._since = began = perf_counter()
        came = -1
        while came != self._came and perf_counter() - began < LONG_SECONDS:
            came = self._came
            sleep(_GATHER_SECONDS)
        self.crowd = self.half_taken

    def _watch(self) -> None:
        pause = Event()
        while self._sought.wait():
            self._sought.clear()
            pause.wait(LONG_SECONDS)
            holder = self._holder
            if holder and perf_counter() - self._since >= LONG_SECONDS:
                self.pass_on(holder)
            if self._line:
                self._sought.set()
