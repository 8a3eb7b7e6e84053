"""Doors: where threads take requests, and answer those at once that hold up no other."""

from threading import Lock, get_ident
from time import perf_counter

# Who works for longer waits for something else, or works on something large.
LONG_SECONDS = 0.005
# A door that stood open for less than this part of such a time may have many before it.
_LOOK_SECONDS = 0.02
_OPEN = 0.2
# An endpoint that has held up its door for so long, so often, may try again after a while. Of how
# often it did so each further answer has a part forgotten.
_HELD_UP_SECONDS = 0.01
_OFTEN = 1.5
_FORGOTTEN = 0.01
_AGAIN_SECONDS = 10.0


class Later(BaseException):
    """A request that its door must not wait for; nothing of it was done that counts.

    No Exception: what handles failures must not take it for one.
    """


class InLine(Later):
    """The same of an answer: it is begun again when its turn at the desk has come."""


class Doors:
    """The threads that are at a door; one of them makes an answer at a time."""

    def __init__(self) -> None:
        # By thread, the endpoint that it is at work for; none is "".
        self._there: dict[int, str] = {}
        # By endpoint, how often it has held up its door, and when it did so last.
        self._held_up: dict[str, tuple[float, float]] = {}
        self._called_off: set[int] = set()
        self._at_work = Lock()
        self._began = self._looked = self._ended = self._open = 0.0

    def __enter__(self) -> None:
        """Be at a door, to the end of the block: whatever would take long raises Later there."""
        if not self._there:
            self._open += perf_counter() - self._ended
        self._there[get_ident()] = ""

    def __exit__(self, *_: object) -> None:
        """Be at the door no longer."""
        self._ended, thread = perf_counter(), get_ident()
        self._called_off.discard(thread)
        endpoint = self._there.pop(thread)
        if endpoint:
            self._remember(endpoint, self._ended - self._began)
            self._at_work.release()

    def _remember(self, endpoint: str, seconds: float) -> None:
        held_up = seconds >= _HELD_UP_SECONDS
        if held_up or endpoint in self._held_up:
            times, last = self._held_up.get(endpoint, (0.0, 0.0))
            times = times * (1 - _FORGOTTEN) + held_up
            self._held_up[endpoint] = times, self._ended if held_up else last

    @property
    def hurried(self) -> bool:
        """Tell whether this thread is at a door."""
        return get_ident() in self._there

    @property
    def idle(self) -> bool:
        """Tell whether it is there and not at work."""
        return self._there.get(get_ident()) == ""

    def comes_to_work(self, endpoint: str) -> bool:
        """Begin to work for its answer, to the end of the block.

        False where it has held up its door again and again, or another one takes long now.
        """
        times, last = self._held_up.get(endpoint, (0.0, 0.0))
        if times >= _OFTEN and perf_counter() - last < _AGAIN_SECONDS:
            return False
        while not self._at_work.acquire(blocking=False):
            left = self._began + LONG_SECONDS - perf_counter()
            if left <= 0:
                return False
            if self._at_work.acquire(timeout=left):
                break
        self._began = perf_counter()
        self._there[get_ident()] = endpoint
        return True

    def are_crowded(self) -> bool:
        """Look now and then whether there may be a crowd before them: True once for each look."""
        now = perf_counter()
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
        endpoint = self._there.get(thread)
        if endpoint is not None:
            self._called_off.add(thread)
            raise InLine if endpoint else Later

    def confirm(self) -> None:
        """Say that this thread has an answer.

        Raises:
            InLine: it was told Later before, and whoever it was took no notice.
        """
        if get_ident() in self._called_off:
            raise InLine
