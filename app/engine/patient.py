"""Works in threads that let others go first: kept answers and health pass by what is dear."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Made = TypeVar("Made")

# A quarter of the processor where another thread wants it too, all of it where none does.
_STEPS = 5
# More than the queues have turns; threads are started when they are needed.
_MOST_THREADS = 256


def patiently(work: Callable[Asked, Made], *args: Asked.args, **kwargs: Asked.kwargs) -> Made:
    """Give what ``work`` gives, and raise what it raises; threads that it starts do as it does."""
    return _THREADS.submit(work, *args, **kwargs).result()


def _let_others_go_first() -> None:
    # A thread has a priority of its own on Linux alone; elsewhere this would be the process's.
    if sys.platform == "linux":
        with suppress(OSError):
            os.nice(_STEPS)


_THREADS = ThreadPoolExecutor(_MOST_THREADS, "engine", _let_others_go_first)
