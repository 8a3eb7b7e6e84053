"""Where the time of one answer went: planning, the engine, writing it down."""

from collections.abc import Callable
from time import perf_counter
from typing import ParamSpec, TypeVar

from app.engine import Work

_Given = ParamSpec("_Given")
_Gives = TypeVar("_Gives")


class Timing(Work):
    """The Work for one answer, and where its time went; used by one thread at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[str, float] = {}
        self._read: dict[str, None] = {}

    def of(
        self, part: str, step: Callable[_Given, _Gives], *given: _Given.args, **named: _Given.kwargs
    ) -> _Gives:
        """Take a step with what is given, and count its time as that part's."""
        began = perf_counter()
        try:
            return step(*given, **named)
        finally:
            self._parts[part] = self._parts.get(part, 0.0) + perf_counter() - began

    def read(self, source: str) -> None:
        """Remember what the engine has read: rows, a rollup, or an index by its order."""
        self._read[source] = None

    @property
    def header(self) -> str:
        """Write it as ``Server-Timing`` has it, in milliseconds; empty where nothing was done."""
        told = {"engine": f';desc="{" ".join(self._read)}"'} if self._read else {}
        parts = []
        for part, seconds in self._parts.items():
            # By whole numbers, and without a format: to write a float takes several times as long.
            whole, thousandths = divmod(int(seconds * 1_000_000), 1000)
            parts.append(f"{part}{told.get(part, '')};dur={whole}.{str(1000 + thousandths)[1:]}")
        return ", ".join(parts)
