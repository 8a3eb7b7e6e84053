"""Works on the next pieces while one is written: several at once, given in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

# Arrow lets others run meanwhile. More would take memory, and other requests' time.
_AT_ONCE = 2


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Give what is made of each item; no more than a few are taken before they are asked for."""
    made: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for item in items:
            made.append(threads.submit(make, item))
            if len(made) > _AT_ONCE:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()
