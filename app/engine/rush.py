"""A rush: as long as there is one no thread interrupts the one that works."""

import os
from contextlib import suppress
from pathlib import Path

# Linux has a policy for each thread of a process.
_THREADS = Path("/proc/self/task")
# A request that is taken so soon after the last one was there already: no client asks as fast.
_AT_ONCE_SECONDS = 0.000_05


class Rush:
    """Finds out whether the next request is there each time already."""

    def __init__(self) -> None:
        # Who started this process under another policy had a reason.
        self._may_choose = _is_under_the_usual_policy()
        self._is_on = False
        self._taken = self._at_once = 0

    def taken(self, after: float) -> None:
        """Say that a request was taken, so many seconds after the last one was done with."""
        self._taken += 1
        self._at_once += after < _AT_ONCE_SECONDS

    def look(self) -> bool:
        """Look at those that were taken since the last look; tell whether there is a rush."""
        is_on = 2 * self._at_once > self._taken
        self._taken = self._at_once = 0
        if is_on != self._is_on and self._may_choose:
            usual, batch = os.SCHED_OTHER, os.SCHED_BATCH
            _move_all(*((usual, batch) if is_on else (batch, usual)))
        self._is_on = is_on
        return is_on


def _is_under_the_usual_policy() -> bool:
    try:
        return _THREADS.is_dir() and os.sched_getscheduler(0) == os.SCHED_OTHER
    except OSError:
        return False


def _move_all(before: int, after: int) -> None:
    """Put all threads of this process that are under one policy under another.

    Usually a thread that wakes takes the processor from another at once: so one client is answered
    soonest. As a batch it waits until the other one waits or has had its share, and finds several
    requests at once.
    """
    # Twice, as one that is started meanwhile has the policy of the one that starts it.
    for _ in range(2):
        for thread in _THREADS.iterdir():
            # It may have ended just now, or who runs the process does not allow it.
            with suppress(OSError):
                if os.sched_getscheduler(int(thread.name)) == before:
                    os.sched_setscheduler(int(thread.name), after, os.sched_param(0))
