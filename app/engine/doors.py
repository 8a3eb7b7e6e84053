"""Doors: where threads take requests, and answer those at once that hold up no other."""

from threading import Lock, get_ident
from time import monotonic

# Who works for longer waits for something else, or works on something large.
LONG_SECONDS = 0.005
# A door that stood open for less than this part of such a time may have many before it.
_LOOK_SECONDS = 0.02
_OPEN = 0.2


class Later(BaseException):
    """A request that its door must not wait for; nothing of it was done that counts.

    No Exception: what handles failures must not take it for one.
    """


class InLine(Later):
    """The same of an answer: it is begun again when its turn at the desk has come."""


class Doors:
    """The threads that are at a door; one of them makes an answer at a time."""

    def __init__(self) -> None:
        # By thread, whether it is at work for an answer.
        self._there: dict[int, bool] = {}
        self._called_off: set[int] = set()
        self._at_work = Lock()
        self._worker: int | None = None
        self._began = self._looked = self._ended = self._open = 0.0

    def __enter__(self) -> None:
        """Be at a door, to the end of the block: whatever would take long raises Later there."""
        if not self._there:
            self._open += monotonic() - self._ended
        self._there[get_ident()] = False

    def __exit__(self, *_: object) -> None:
        """Be at the door no longer."""
        self._ended, thread = monotonic(), get_ident()
        self._called_off.discard(thread)
        if self._there.pop(thread):
            self._at_work.release()

    @property
    def hurried(self) -> bool:
        """Tell whether this thread is at a door."""
        return get_ident() in self._there

    @property
    def idle(self) -> bool:
        """Tell whether it is there and not at work."""
        return self._there.get(get_ident()) is False

    def comes_to_work(self) -> bool:
        """Begin to work for an answer, to the end of the block; False where another takes long."""
        while not self._at_work.acquire(timeout=LONG_SECONDS):
            if monotonic() - self._began >= LONG_SECONDS:
                return False
        self._worker, self._began = get_ident(), monotonic()
        self._there[self._worker] = True
        return True

    def was_at_work_since(self, moment: float) -> bool:
        """Tell whether this thread was the last one to make an answer, and began after that."""
        return self._worker == get_ident() and self._began >= moment

    def are_crowded(self) -> bool:
        """Look now and then whether there may be a crowd before them: True once for each look."""
        now = monotonic()
        seconds = now - self._looked
        if seconds <= _LOOK_SECONDS:
            return False
        crowded = self._open < _OPEN * seconds
        self._looked, self._open = now, 0.0
        return crowded

    def leave(self) -> None:
        """Say that this thread is about to wait, or to work for long.

        Raises:
            Later: it is at a door.
        """
        thread = get_ident()
        works = self._there.get(thread)
        if works is not None:
            self._called_off.add(thread)
            raise InLine if works else Later

    def confirm(self) -> None:
        """Say that this thread has an answer.

        Raises:
            InLine: it was told Later before, and whoever it was took no notice.
        """
        if get_ident() in self._called_off:
            raise InLine
