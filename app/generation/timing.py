"""Where the time of one answer went: planning, the engine, writing it down."""

from time import perf_counter

from app.engine import Work


class Timing:
    """What one answer has cost so far, the engine's work too; used by one thread at a time."""

    def __init__(self) -> None:
        self.work = Work()
        self._seconds: dict[str, float] = {}
        self._read: dict[str, None] = {}

    def of(self, part: str) -> "_Part":
        """Count the time of a block as that part's."""
        return _Part(self._seconds, part)

    def read(self, source: str) -> None:
        """Remember what the engine has read: rows, a rollup, or an index by its order."""
        self._read[source] = None

    @property
    def header(self) -> str:
        """Write it as ``Server-Timing`` has it, in milliseconds; empty where nothing was done."""
        # A float as it is takes less to write than one with three places, and has no more of them.
        told = {"engine": f';desc="{" ".join(self._read)}"'} if self._read else {}
        parts = [
            f"{part}{told.get(part, '')};dur={int(seconds * 1_000_000) / 1000!r}"
            for part, seconds in self._seconds.items()
        ]
        return ", ".join(parts)


class _Part:
    """A block whose time is counted; a generator of one costs several times as much."""

    __slots__ = ("_part", "_seconds", "_started")

    def __init__(self, seconds: dict[str, float], part: str) -> None:
        self._seconds, self._part = seconds, part

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = perf_counter() - self._started
        self._seconds[self._part] = self._seconds.get(self._part, 0.0) + spent
