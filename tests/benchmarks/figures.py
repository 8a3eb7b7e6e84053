"""Figures: what was measured, and the bars that it is held to."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf
from statistics import median

# Of which workload, which target, what.
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured; a figure is the median of what its rounds gave."""

    given: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)

    def add(self, workload: str, target: str, **measured: float) -> None:
        """Add what one round gave; the names say what and in which unit."""
        for what, value in measured.items():
            self.given[workload, target, what].append(value)

    def __getitem__(self, key: Key) -> float:
        """Give a figure.

        Raises:
            KeyError: it was not measured.
        """
        if key not in self.given:
            raise KeyError(key)
        return median(self.given[key])

    def get(self, key: Key) -> float | None:
        """Give a figure, if it was measured."""
        return self[key] if key in self.given else None

    def ratio(self, key: Key, of: Key) -> float:
        """Give how many times another figure one is, both of them measured.

        Where they are of the same rounds it is the median of what each round gave: what slows
        the machine down for a while slows down both.
        """
        pairs = list(zip(self.given[key], self.given[of], strict=False))
        if len(self.given[key]) == len(self.given[of]) and all(base for _, base in pairs):
            return median(figure / base for figure, base in pairs)
        return self[key] / self[of] if self[of] else inf

    def targets(self, workload: str) -> list[str]:
        """Give who was measured, first ones first."""
        return list(dict.fromkeys(key[1] for key in self.given if key[0] == workload))


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must be: at most, or at least, so many times another one, or so much.

    A bar of at most is never below ``floor``.
    """

    figure: Key
    times: float
    of: Key | None = None
    at_least: bool = False
    floor: float = 0.0

    def judged(self, figures: Figures) -> "Judged | None":
        """Hold the figure to it; None where something was not measured."""
        figure = figures.get(self.figure)
        if figure is None or (self.of is not None and self.of not in figures.given):
            return None
        ratio = figure if self.of is None else figures.ratio(self.figure, self.of)
        if self.at_least:
            return Judged(figure, ratio, ratio >= self.times)
        return Judged(figure, ratio, ratio <= self.times or figure <= self.floor)


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure against its bar: how many times the other one it is, and whether that is enough."""

    figure: float
    ratio: float
    met: bool
