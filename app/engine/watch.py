"""Interrupts what takes too long, again and again until it has ended. Knows no SQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

# One interrupt may come between two pieces of work, where nobody notices it.
_AGAIN_SECONDS = 0.02


@contextmanager
def interrupting_after(seconds: float, interrupt: Callable[[], object]) -> Iterator[Event]:
    """Call ``interrupt`` once so many seconds have passed, and on until the block has ended.

    The Event tells whether the time is over.
    """
    ended, late = Event(), Event()

    def watch() -> None:
        if ended.wait(seconds):
            return
        late.set()
        while not ended.wait(_AGAIN_SECONDS):
            interrupt()

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield late
    finally:
        ended.set()
        watcher.join()
