"""Threads for whatever may take its time: there are as many as are busy at once, up to a bound."""

from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

import structlog

log = structlog.get_logger()

_IDLE_SECONDS = 30.0

Task = Callable[[], object]


class Hands:
    """At most so many threads; one that found nothing to do for half a minute ends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = self._idle = 0
        self._tasks: deque[Task] = deque()
        self._changed = Condition()

    @property
    def count(self) -> int:
        """Give how many threads there are."""
        return self._count

    def put(self, task: Task) -> None:
        """Have a task done as soon as there is a thread for it."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify()
            if len(self._tasks) <= self._idle or self._count >= self._most:
                return
            self._count += 1
        try:
            # A thread holds what it is started with for all its life, so that is no task.
            Thread(target=self._work, daemon=True).start()
        except RuntimeError:
            # The system has no more threads: the task waits for one of those there are.
            log.exception("no thread")
            with self._changed:
                self._count -= 1

    def _work(self) -> None:
        while task := self._next():
            try:
                task()
            except BaseException:
                # Whatever it was, the thread goes on: somebody counts on it.
                log.exception("fault")
            # What it held is not held while the thread waits for another.
            del task

    def _next(self) -> Task | None:
        """Wait for a task; None where none came for long, and the thread is to end."""
        with self._changed:
            self._idle += 1
            came = self._changed.wait_for(lambda: self._tasks, _IDLE_SECONDS)
            self._idle -= 1
            if came:
                return self._tasks.popleft()
            self._count -= 1
            return None
