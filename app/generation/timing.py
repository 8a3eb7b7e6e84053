"""Where the time of one answer went: planning, the engine, writing it down."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from app.engine import Work


class Timing:
    """What one answer has cost so far, the engine's work too; used by one thread at a time."""

    def __init__(self) -> None:
        self.work = Work()
        self._seconds: dict[str, float] = {}
        self._read: dict[str, None] = {}

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count the time of a block as that part's."""
        started = perf_counter()
        try:
            yield
        finally:
            self._seconds[part] = self._seconds.get(part, 0.0) + perf_counter() - started

    def read(self, source: str) -> None:
        """Remember what the engine has read: rows, a rollup, or an index by its order."""
        self._read[source] = None

    @property
    def header(self) -> str:
        """Write it as ``Server-Timing`` has it, in milliseconds; empty where nothing was done."""
        told = {"engine": f';desc="{" ".join(self._read)}"'} if self._read else {}
        return ", ".join(
            f"{part}{told.get(part, '')};dur={seconds * 1000:.3f}"
            for part, seconds in self._seconds.items()
        )
