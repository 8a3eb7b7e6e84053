"""The reserve: of the threads that may take requests one takes them all, and the others rest.

Threads that take turns find what they work with cold, and contend for one interpreter. So one leads
as long as it can; where it is held up, or there is a crowd, all take requests for a while.
"""

from threading import Condition, Event, Thread, get_ident
from time import monotonic

from app.engine.doors import Doors
from app.engine.rush import Rush

# So long all take requests when they were called.
_CALLED_SECONDS = 5.0
# How often it is looked whether the leader is held up: each look takes the interpreter from it.
_LOOK_SECONDS = 0.03
# Who is at a request for so long keeps others waiting; twice in a second is no accident.
_LONG_SECONDS = 0.01
_AGAIN_SECONDS = 1.0


class Reserve:
    """The threads of a server, which may end one that has waited for ``seconds`` for a request.

    All take requests for so many seconds after they were ``called``.
    """

    def __init__(self, doors: Doors, seconds: float, called: float = _CALLED_SECONDS) -> None:
        self._doors, self._rush = doors, Rush()
        self._seconds, self._called_seconds = seconds, called
        self._leader: int | None = None
        self._came = self._went = self._was_long = self._until = 0.0
        self._at_work = False
        self._changed = Condition()
        self._resting = 0
        self._busy = Event()
        Thread(target=self._watch, daemon=True).start()

    @property
    def resting(self) -> int:
        """Give how many rest."""
        return self._resting

    def comes(self) -> None:
        """Say that this thread has taken a request."""
        thread, now = get_ident(), monotonic()
        if self._leader is None or now - self._came >= self._seconds:
            self._leader = thread
        if thread == self._leader:
            if now >= self._until:
                self._rush.taken(now - self._went)
            self._came, self._at_work = now, True
            if not self._busy.is_set():
                self._busy.set()

    def goes(self) -> None:
        """Say that this thread takes the next request."""
        if get_ident() != self._leader:
            return
        now = monotonic()
        self._at_work, self._went = False, now
        # Where all are called they hold each other up; where nothing was made meanwhile it was the
        # machine that had something else to do.
        long = now - self._came >= _LONG_SECONDS and self._came >= self._until
        if long and self._doors.was_at_work_since(self._came):
            if now - self._was_long < _AGAIN_SECONDS:
                self.call()
            self._was_long = now

    def rest(self) -> None:
        """Say the same, but rest before unless this one leads or all are called."""
        self.goes()
        if get_ident() == self._leader or monotonic() < self._until:
            return
        with self._changed:
            now = monotonic()
            # A request that comes while the leader is ended would find nobody: before that may be,
            # all are back.
            if now >= self._until and now - self._came < self._seconds / 2:
                self._resting += 1
                self._changed.wait(self._seconds / 4)
                self._resting -= 1

    def call(self) -> None:
        """Have all take requests for a while: the leader is held up, or there may be a crowd."""
        with self._changed:
            self._until = monotonic() + self._called_seconds
            self._changed.notify_all()

    def _watch(self) -> None:
        """Look for a rush; call all where the leader is held up, and nobody knew it would be."""
        pause = Event()
        while self._busy.wait():
            self._busy.clear()
            pause.wait(_LOOK_SECONDS)
            if self._rush.look():
                # Its end is to be seen too.
                self._busy.set()
            while self._at_work and monotonic() - self._came >= _LOOK_SECONDS:
                self.call()
                # Where all are called there is no rush.
                self._rush.look()
                pause.wait(self._called_seconds / 2)
