"""Where answers are made, one at a time: a worker has one interpreter."""

from threading import Event, Thread, get_ident
from time import monotonic

from app.engine.queue import Doorstep, Queue

# Who holds the desk for longer waits for something else, or works on something large.
_LONG_SECONDS = 0.005


class Desk:
    """A turn at the interpreter, for what takes a fraction of a millisecond of it.

    Who waits in this line wants nothing of the interpreter meanwhile, so that kept answers and
    health pass by. Who is about to wait for something else leaves; from who does not leave for
    long the turn is taken, and the next one works beside.
    """

    def __init__(self, waiting: int, doorstep: Doorstep) -> None:
        self.queue = Queue(1, waiting, doorstep=doorstep)
        self._since: dict[int, float] = {}
        self._sought = Event()
        Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> None:
        """Wait for the desk and hold it, to the end of the block or until its thread leaves.

        Raises:
            BusyError: too many wait already, or the turn did not come in time.
        """
        if self.queue.running:
            self._sought.set()
        self.queue.take()
        self._since[get_ident()] = monotonic()

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        self.leave()

    def leave(self) -> None:
        """Let the next one in, if this thread holds the desk."""
        self._release(get_ident())

    def _release(self, thread: int) -> None:
        # Taken out by one caller only: the holder or the watch.
        if self._since.pop(thread, None) is not None:
            self.queue.pass_on()

    def _watch(self) -> None:
        pause = Event()
        while self._sought.wait():
            self._sought.clear()
            pause.wait(_LONG_SECONDS)
            for thread, since in list(self._since.items()):
                if monotonic() - since >= _LONG_SECONDS:
                    self._release(thread)
            if self.queue.waiting:
                self._sought.set()
