"""The reserve: of the threads that may take requests, one takes them and the others rest.

Each one that waits for requests wants the interpreter when one has come, and what it works with is
cold. So who has answered rests where another waits already, and is called when that one is held up.
"""

from threading import Event, Lock, Semaphore, Thread, get_ident
from time import monotonic

# How often it is looked whether the one that takes requests is held up: each look takes the
# interpreter from it.
_LOOK_SECONDS = 0.03


class Reserve:
    """The threads of a server, which ends one that has waited for requests for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        # Who waited for half of it may be gone when the next request comes.
        self._seconds = seconds / 2
        # By the threads that wait for requests, since when.
        self._waiting: dict[int, float] = {}
        self._resting = 0
        self._lock = Lock()
        self._called = Semaphore(0)
        self._came = Event()
        self._since = 0.0
        Thread(target=self._watch, daemon=True).start()

    @property
    def resting(self) -> int:
        """Give how many rest."""
        return self._resting

    def comes(self) -> None:
        """Say that this thread has taken a request."""
        with self._lock:
            self._waiting.pop(get_ident(), None)
        self._since = monotonic()
        if not self._came.is_set():
            self._came.set()

    def goes(self) -> None:
        """Say that this thread takes the next request."""
        with self._lock:
            self._waiting[get_ident()] = monotonic()

    def rest(self) -> None:
        """Rest until called if another one waits; then say that this thread takes the next."""
        with self._lock:
            rests = self._is_covered()
            self._resting += rests
        if rests:
            self._called.acquire()
        self.goes()

    def call(self) -> None:
        """Have one that rests take the next request, if nobody else waits for it."""
        with self._lock:
            if self._is_covered() or not self._resting:
                return
            self._resting -= 1
        self._called.release()

    def _is_covered(self) -> bool:
        if not self._waiting:
            return False
        now = monotonic()
        return any(now - since < self._seconds for since in self._waiting.values())

    def _watch(self) -> None:
        """Call one where the one that came last is held up, and nobody knew that it would be.

        Where none comes for long, one of those who rest takes the place of who may be ended.
        """
        pause = Event()
        while True:
            if not self._came.wait(self._seconds / 2):
                self.call()
                continue
            self._came.clear()
            pause.wait(_LOOK_SECONDS)
            if monotonic() - self._since >= _LOOK_SECONDS:
                self.call()
