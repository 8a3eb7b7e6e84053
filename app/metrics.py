"""What a worker counts of its requests: plain numbers, so that those of several add up."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar

# In seconds. Behind the last one comes what took longer, and behind that the sum.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Clients may call a method whatever they like, and a metric must not have a series for each.
_METHODS = {each: each for each in ("GET", "HEAD", "OPTIONS", "POST")}

Spread = list[float]
Group = TypeVar("Group")


class Kind(NamedTuple):
    """Requests that are counted together; ``cache`` is what their log lines say of it."""

    method: str
    route: str | None
    dataset: str | None
    status: int
    cache: str | None


class Tally:
    """How many requests of each Kind took how long: a number for each bucket, and the sum."""

    def __init__(self) -> None:
        self.counted: dict[tuple[Any, ...], Spread] = {}
        self._lock = Lock()

    def count(self, method: str, ended: tuple[int, float], told: Mapping[str, Any]) -> None:
        """Count a request by its status and seconds, and by what its log line tells."""
        status, seconds = ended
        get = told.get
        # A plain tuple is equal to a Kind, and made in a fifth of the time.
        kind = (_METHODS.get(method, "other"), get("route"), get("dataset"), status, get("cache"))
        with self._lock:
            spread = self._spread(kind)
            spread[bisect_left(BOUNDS, seconds)] += 1
            spread[-1] += seconds

    def add(self, other: "Tally") -> None:
        """Count what another one has counted too."""
        for kind, spread in other.counted.items():
            _add(self._spread(kind), spread)

    def grouped(self, group: Callable[[Kind], Group]) -> dict[Group, Spread]:
        """Give what was counted, added up where ``group`` gives the same."""
        groups: dict[Group, Spread] = {}
        for kind, spread in self.counted.items():
            _add(groups.setdefault(group(Kind(*kind)), _nothing()), spread)
        return groups

    def as_fact(self) -> list[object]:
        """Give it in a form that JSON has."""
        with self._lock:
            return [[*kind, *spread] for kind, spread in self.counted.items()]

    @classmethod
    def from_fact(cls, fact: Sequence[Sequence[Any]]) -> "Tally":
        """Read what ``as_fact`` gave.

        Raises:
            TypeError, ValueError: it is something else.
        """
        tally, width = cls(), len(Kind._fields)
        for each in fact:
            _add(tally._spread(tuple(each[:width])), each[width:])
        return tally

    def _spread(self, kind: tuple[Any, ...]) -> Spread:
        spread = self.counted.get(kind)
        if spread is None:
            spread = self.counted[kind] = _nothing()
        return spread


def _nothing() -> Spread:
    return [0.0] * (len(BOUNDS) + 2)


def _add(spread: Spread, more: Sequence[float]) -> None:
    spread[:] = [one + other for one, other in zip(spread, more, strict=True)]
