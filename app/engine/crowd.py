"""A crowd: as long as one stands at the door no thread interrupts the one that works."""

import os
import sys
from contextlib import suppress
from pathlib import Path

# A request that is taken so soon after the last one stood there already: no client asks as fast.
_AT_ONCE_SECONDS = 0.000_05


class Crowd:
    """Finds out whether the next request is there each time already."""

    def __init__(self) -> None:
        self._is_there = False
        self._taken = self._at_once = 0

    def taken(self, after: float) -> None:
        """Say that a request was taken, so many seconds after the last one was done with."""
        self._taken += 1
        self._at_once += after < _AT_ONCE_SECONDS

    def look(self) -> None:
        """Look at those that were taken since the last look."""
        crowd = 2 * self._at_once > self._taken
        self._taken = self._at_once = 0
        if crowd != self._is_there:
            self._is_there = crowd
            if _USUAL:
                _schedule(os.SCHED_BATCH if crowd else os.SCHED_OTHER)


def _schedule(policy: int) -> None:
    """Put all threads of this process under a policy.

    Usually a thread that wakes takes the processor from another at once: so one client is answered
    soonest. As a batch it waits until the other one waits or has had its share, and finds several
    requests at once.
    """
    for thread in Path("/proc/self/task").iterdir():
        # It may have ended just now, or who runs the process may not allow it.
        with suppress(OSError):
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))


# Whoever starts this process under another policy has a reason.
_USUAL = sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER
