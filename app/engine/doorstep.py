"""Where those stand for a moment who are refused: told at once, they would ask again at once."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import uniform
from threading import Condition, Semaphore, Thread
from time import monotonic, sleep

from app.engine.hands import Hands

# A refusal takes a tenth of what an answer does: of standing for less, answers get less.
_SECONDS = 2.0
# Who is refused together would come again together, and find the line full that is empty later.
_APART = (0.5, 1.5)


class Doorstep:
    """Room for so many; who finds none is told at once after all."""

    def __init__(self, places: int, hands: Hands) -> None:
        self._free = Semaphore(places)
        self._hands = hands
        # When it is to be told, by whom; the number keeps those apart who are told together.
        self._told: list[tuple[float, int, Callable[[], object]]] = []
        self._number = count()
        self._changed = Condition()
        Thread(target=self._watch, daemon=True).start()

    def stand(self) -> None:
        """Wait a moment; asks nothing of the interpreter."""
        if self._free.acquire(blocking=False):
            sleep(_moment())
            self._free.release()

    def tell(self, refuse: Callable[[], object]) -> None:
        """Have somebody refused in a moment, and no thread wait for it."""
        if not self._free.acquire(blocking=False):
            self._hands.put(refuse)
            return
        with self._changed:
            heappush(self._told, (monotonic() + _moment(), next(self._number), refuse))
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                left = self._told[0][0] - monotonic() if self._told else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, refuse = heappop(self._told)
            self._free.release()
            self._hands.put(refuse)


def _moment() -> float:
    return _SECONDS * uniform(*_APART)  # noqa: S311 - guards nothing
