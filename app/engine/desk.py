"""Where answers are made, one at a time: a worker has one interpreter.

Requests come in at doors. What can be answered at once is answered by the thread that took it. An
answer that would hold it up is begun again at the desk, by a thread that may wait.
"""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread, get_ident
from time import perf_counter, sleep

from app.engine.hands import Hands
from app.errors import BusyError

# Who is at the desk for longer waits for something else, or works on something large.
_LONG_SECONDS = 0.005
# A door that stood open for less than this part of such a time may have many before it.
_LOOK_SECONDS = 0.02
_OPEN = 0.2
# They are let in until nobody came for so long.
_GATHER_SECONDS = 0.000_5
# What part of the line must be full to be a crowd.
_CROWD = 0.5
# Somebody has been called to the desk and is on the way.
_CALLED = 0


class Later(BaseException):
    """A request that its door must not wait for; nothing of it was done that counts.

    No Exception: what handles failures must not take it for one.
    """


class InLine(Later):
    """The same of an answer: it is begun again when its turn at the desk has come."""


class Desk:
    """The line of those whose answers are made one after the other, by one of the ``hands``.

    Of answers that are made at doors, only one is made at a time too. Threads that neither are at
    a door nor came from the line are nobody's concern here: a server that has threads of its own
    may use the service without a desk.
    """

    def __init__(self, most: int, hands: Hands) -> None:
        self._most, self._hands = most, hands
        self._line: deque[Callable[[], object]] = deque()
        self._lock = Lock()
        self._holder: int | None = None
        self._since = self._began = self._looked = self._ended = self._open = 0.0
        # By thread, whether it is at work for an answer.
        self._doors: dict[int, bool] = {}
        self._called_off: set[int] = set()
        self._at_work = Lock()
        self._crowd = False
        self._came = 0
        self._sought = Event()
        Thread(target=self._watch, daemon=True).start()

    @property
    def running(self) -> int:
        """Give how many work at the desk."""
        return int(bool(self._holder))

    @property
    def waiting(self) -> int:
        """Give how many stand in line."""
        return len(self._line)

    @property
    def hurried(self) -> bool:
        """Tell whether this thread is at a door."""
        return get_ident() in self._doors

    def __enter__(self) -> None:
        """Be at a door, to the end of the block: whatever would take long raises Later there."""
        if not self._doors:
            self._open += perf_counter() - self._ended
        self._doors[get_ident()] = False

    def __exit__(self, *_: object) -> None:
        """Be at the door no longer."""
        self._ended, thread = perf_counter(), get_ident()
        self._called_off.discard(thread)
        if self._doors.pop(thread):
            self._at_work.release()

    def stay(self) -> None:
        """Say that this thread is about to make an answer.

        Raises:
            InLine: it is at a door where others wait already, or another door is at work: what
                keeps one from answering must not keep all.
        """
        thread = get_ident()
        if self._doors.get(thread, True):
            return
        self._look()
        if self._crowd or not self._comes_to_work():
            raise InLine
        self._doors[thread] = True

    def _comes_to_work(self) -> bool:
        """Wait for the others at work, one after the other; not for one who takes long."""
        while not self._at_work.acquire(timeout=_LONG_SECONDS):
            if perf_counter() - self._began >= _LONG_SECONDS:
                return False
        self._began = perf_counter()
        return True

    def _look(self) -> None:
        """See now and then whether there may be a crowd before the door."""
        now = perf_counter()
        seconds = now - self._looked
        if seconds > _LOOK_SECONDS:
            self._crowd = self._crowd or self._open < _OPEN * seconds
            self._looked, self._open = now, 0.0

    def leave(self) -> None:
        """Say that this thread is about to wait for something else, or to work for long.

        Raises:
            Later: it is at a door.
        """
        thread = get_ident()
        works = self._doors.get(thread)
        if works is not None:
            self._called_off.add(thread)
            raise InLine if works else Later
        self._pass_on(thread)

    def confirm(self) -> None:
        """Say that this thread has an answer.

        Raises:
            InLine: it was told so before, and whoever it was took no notice.
        """
        if get_ident() in self._called_off:
            raise InLine

    def put(self, work: Callable[[], object]) -> None:
        """Have an answer made when its turn has come.

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
            self._call(gather=self._crowd)
        else:
            self._sought.set()

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
                self._pass_on(get_ident())
                raise
            if self._holder != get_ident():
                return
            if self._crowd and not self._line:
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
        """Let in who waits at the door, and see how many they are."""
        self._since = began = perf_counter()
        came = -1
        while came != self._came and perf_counter() - began < _LONG_SECONDS:
            came = self._came
            sleep(_GATHER_SECONDS)
        self._crowd = len(self._line) >= _CROWD * self._most

    def _pass_on(self, thread: int) -> None:
        with self._lock:
            if self._holder != thread:
                return
            waits = bool(self._line)
            self._holder = _CALLED if waits else None
        if waits:
            self._call()

    def _watch(self) -> None:
        pause = Event()
        while self._sought.wait():
            self._sought.clear()
            pause.wait(_LONG_SECONDS)
            holder = self._holder
            if holder and perf_counter() - self._since >= _LONG_SECONDS:
                self._pass_on(holder)
            if self._line:
                self._sought.set()
