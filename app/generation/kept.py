"""Older Generations: opened when somebody asks for one, a few at a time, as long as it is kept."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from threading import Lock

from app.engine import Queue, compare_engines
from app.errors import GenerationGoneError
from app.generation.generation import Generation
from app.generation.manifest import Manifest, manifest_name
from app.generation.store import Store
from app.generation.timing import Timing
from app.query import Compared, Comparison, compare
from app.table import Fact

# As many as are kept unless told otherwise, without the current one.
_MOST_OPEN = 4
# Each one across Generations takes as much memory as all questions to one do.
_MOST_COMPARED, _MOST_WAITING = 1, 4


class KeptGenerations:
    """The Generations that the Store keeps, by their numbers.

    ``waits`` is called by whom it takes some time.
    """

    def __init__(
        self,
        store: Store,
        opener: Callable[[str], Generation],
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._open = opener
        self._waits = waits
        self._opened: OrderedDict[int, Generation] = OrderedDict()
        self._opening: dict[int, Lock] = {}
        self._lock = Lock()
        self._comparing = Queue(_MOST_COMPARED, _MOST_WAITING)
        # A manifest never changes, so it is read once.
        self._manifest = lru_cache(maxsize=128)(store.manifest)

    def open(self, number: int) -> Generation:
        """Give that Generation; whoever holds it may go on reading when it is collected.

        Raises:
            GenerationGoneError: it is not kept, or was never made.
        """
        self._waits()
        with self._lock:
            opening = self._opening.setdefault(number, Lock())
        # Only who needs this very one waits for it to be opened.
        with opening:
            opened = self._opened.get(number)
            if opened is None or number not in self._numbers():
                opened = self._opened_now(number)
        with self._lock:
            self._opened[number] = opened
            self._opened.move_to_end(number)
            while len(self._opened) > _MOST_OPEN:
                self._opening.pop(self._opened.popitem(last=False)[0], None)
        return opened

    def forget_collected(self) -> None:
        """Let go of those that are not kept any more, and of the disk that they hold."""
        numbers = self._numbers()
        with self._lock:
            for number in [each for each in self._opened if each not in numbers]:
                del self._opened[number]
                self._opening.pop(number, None)

    def compare(self, asked: Generation, comparison: Comparison, timing: Timing) -> Compared:
        """Run a Comparison that is asked of a Generation; its other side may be of a kept one.

        Raises:
            GenerationGoneError: that one is not kept.
            BusyError: too many questions are being worked on.
        """
        self._waits()
        if comparison.generation is None:
            return compare(comparison, partial(asked.engine.run, work=timing))
        other = self.open(comparison.generation)
        with self._comparing.turn():
            try:
                engines = (other.engine, asked.engine)
                return compare_engines(comparison, engines, timing)
            except FileNotFoundError as error:
                raise _gone(other.number, self._store.numbers()) from error

    def history(self, dataset: str, until: int) -> list[Fact]:
        """Give ``generation, committed_at, table`` of each kept one that has a dataset.

        Newest first; ``until`` is the number of the newest to be told.
        """
        self._waits()
        told: list[Fact] = []
        for number in reversed(self._store.numbers()):
            manifest = self._manifest_of(number) if number <= until else None
            if manifest is not None and dataset in manifest.tables:
                at, table = manifest.committed_at, manifest.tables[dataset]
                told.append({"generation": number, "committed_at": at, "table": table})
        return told

    def _numbers(self) -> list[int]:
        # One that is written and not yet pointed at is nobody's to see.
        current = self._store.current() or ""
        return [each for each in self._store.numbers() if manifest_name(each) <= current]

    def _opened_now(self, number: int) -> Generation:
        kept = self._numbers()
        if number in kept:
            with suppress(FileNotFoundError):
                return self._open(manifest_name(number))
        raise _gone(number, kept)

    def _manifest_of(self, number: int) -> Manifest | None:
        try:
            return self._manifest(manifest_name(number))
        except FileNotFoundError:
            return None


def _gone(number: int, kept: Sequence[int]) -> GenerationGoneError:
    return GenerationGoneError(f"Generation {number} is not kept.", generation=number, kept=kept)
