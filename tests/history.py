"""Checks what readers saw during refreshes: one register whose values are Generations."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Read:
    """One answer: when it was asked for and complete, and which Generations it speaks of.

    ``generations`` holds what its header and its metadata name; ``markers`` the marks of all
    rows in it, none where it shows no row.
    """

    started: float
    ended: float
    generations: frozenset[int]
    markers: frozenset[object]

    @property
    def generation(self) -> int:
        """Give the oldest Generation it speaks of."""
        return min(self.generations)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One refresh that succeeded: when it returned, its Generation and the mark of all its rows."""

    returned: float
    generation: int
    marker: object


@dataclass(frozen=True, slots=True)
class Faults:
    """The reads that must not be."""

    torn: list[Read] = field(default_factory=list)
    older_after_return: list[Read] = field(default_factory=list)
    went_back: list[Read] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Count each kind."""
        return {
            "torn": len(self.torn),
            "older after return": len(self.older_after_return),
            "went back": len(self.went_back),
        }


NO_FAULTS = Faults().counts()


def check(reads: Iterable[Read], refreshes: Iterable[Refreshed]) -> Faults:
    """Find answers of two Generations, and answers older than what was known before they began.

    Known is what a refresh has returned, and what another read has shown; only what had ended
    before a read began counts for it.
    """
    read, made = list(reads), list(refreshes)
    marks = {each.generation: each.marker for each in made}
    returned = _Known([(each.returned, each.generation) for each in made])
    shown = _Known([(each.ended, each.generation) for each in read])
    return Faults(
        torn=[each for each in read if not _is_whole(each, marks)],
        older_after_return=[e for e in read if e.generation < returned.before(e.started)],
        went_back=[each for each in read if each.generation < shown.before(each.started)],
    )


def _is_whole(read: Read, marks: dict[int, object]) -> bool:
    if len(read.generations) != 1 or read.generation not in marks:
        return False
    return read.markers <= {marks[read.generation]}


class _Known:
    """The greatest Generation known at each moment."""

    def __init__(self, told: Sequence[tuple[float, int]]) -> None:
        ordered = sorted(told)
        self._moments = [moment for moment, _ in ordered]
        self._greatest = list(accumulate((generation for _, generation in ordered), max))

    def before(self, moment: float) -> int:
        """Give the greatest Generation told strictly before ``moment``; 0 where none was."""
        at = bisect_left(self._moments, moment)
        return self._greatest[at - 1] if at else 0
