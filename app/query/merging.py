"""Figures of one group, put together in Python of the few rows of a rollup that make it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from functools import lru_cache, reduce
from math import isfinite
from operator import or_
from typing import Any

from app.dataset import Column, Dataset, Prepare
from app.query.measures import FUNCTIONS
from app.query.query import Measure, Query
from app.query.rollups import (
    SET,
    Part,
    RolledUp,
    parts_of,
    rolled_up,
    rollup_for,
    stored_names,
)
from app.query.rows import NO_STAMP, Rows, WideInteger
from app.query.stretch import Stretch, stretch

# Digits that no sum of a decimal needs more of.
_EXACT = Context(80)
_MOST_DIGITS = 38
_WIDEST = 1 << 127

# What `Any` is here: numbers of one kind or another, as the parts of a figure are.
Number = Any


@dataclass(frozen=True, slots=True)
class Merge:
    """Which rows of which rollup make the figures of a Query."""

    rollup: RolledUp
    stretch: Stretch
    query: Query

    def figures(self, read: Rows) -> Rows | None:
        """Give the one row of figures, with the lineage of what they are made of.

        None where a sum leaves its type: the engine has words for that.
        """
        names = [column.name for column in read.columns]
        cells = zip(*read.cells, strict=True) if read.cells else ((),) * len(names)
        parts = dict(zip(names, map(tuple, cells), strict=True))
        try:
            made = [self._figure(measure, parts) for measure in self.query.measures]
        except OverflowError:
            return None
        columns, row = zip(*made, strict=True)
        # Of all rows the Table itself tells the lineage.
        return Rows(columns, [row], read.stamp if self.query.where else NO_STAMP)

    def _figure(
        self, measure: Measure, cells: Mapping[str, Sequence[Number]]
    ) -> tuple[Column, object]:
        columns = _columns(self.query, measure)
        needed = _parts(self.query, measure)
        merged = [_together(part, cells[self.rollup.parts[part]]) for part in needed]
        value = _FINISHED[measure.function](*merged)
        result, physical = FUNCTIONS[measure.function].result(*columns)
        if value is not None and result == "number" and not isfinite(value):
            value = None
        if value is not None and physical == "HUGEINT":
            value = WideInteger(value)
        return Column(measure.name, result, physical=physical), value


def merge(query: Query) -> Merge | None:
    """Give the rows of a rollup that make the figures of a Query; None where these do not tell."""
    paged = query.sort or query.offset or query.limit == 0
    if not query.measures or query.group_by or query.window or paged:
        return None
    rollup = rollup_for(query, windowed=False)
    if rollup is None or any(
        rollup.of_groups(each, _columns(query, each)) or _in_texts(query, each)
        for each in query.measures
    ):
        return None
    dataset = _as_rows(query.dataset, rollup.table)
    if dataset is None:
        return None
    sort = tuple((key, False) for key in dataset.keys)
    order = tuple((name, False) for name in rollup.groups)
    needed = (rollup.parts[part] for each in query.measures for part in _parts(query, each))
    parts = tuple(dict.fromkeys(needed))
    asked = stretch(Query(dataset, parts, query.where, sort=sort), order)
    return None if asked is None else Merge(rollup, asked, query)


def _in_texts(query: Query, measure: Measure) -> bool:
    """Tell whether a measure looks at nanoseconds, whose texts are in another order."""
    return any(column.physical == "TIMESTAMP_NS" for column in _columns(query, measure))


def _parts(query: Query, measure: Measure) -> tuple[Part, ...]:
    return parts_of(measure.function, stored_names(_columns(query, measure)))


def _columns(query: Query, measure: Measure) -> list[Column]:
    return [query.column(name) for name in measure.columns]


@lru_cache(maxsize=512)
def _as_rows(dataset: Dataset, name: str) -> Dataset | None:
    """Give a rollup as if it were a dataset: its groups are the keys, its parts are columns.

    None where an endpoint knows a column of another by the name of one of them.
    """
    rollup = rolled_up(dataset, name)
    called = {dataset.stored_name(column.name): column.name for column in dataset.columns}
    parts = [Column(part, stored=part) for part in rollup.parts.values()]
    if not called.keys() >= set(rollup.groups):
        return None
    keys = tuple(called[group] for group in rollup.groups)
    return replace(dataset, keys=keys, columns=(*dataset.columns, *parts), prepare=Prepare())


def _together(part: Part, cells: Sequence[Number]) -> Number:
    """Put the parts of several groups together; None where no group has any."""
    known = [cell for cell in cells if cell is not None]
    if not known:
        return None
    if part.kind == SET:
        return reduce(or_, known)
    if part.kind in {"min", "max"}:
        return min(known) if part.kind == "min" else max(known)
    with localcontext(_EXACT):
        total = sum(known[1:], known[0])
    if isinstance(total, int | Decimal) and _is_beyond(total):
        raise OverflowError
    return total


def _is_beyond(total: int | Decimal) -> bool:
    """Tell whether the engine's widest integer, or decimal, cannot hold a sum."""
    if isinstance(total, int):
        return not -_WIDEST <= total < _WIDEST
    return len(total.as_tuple().digits) > _MOST_DIGITS


def _mean(total: Number, count: Number) -> float | None:
    return float(total) / count if count else None


def _ratio(part: Number, whole: Number) -> float | None:
    return float(part) / float(whole) * 100 if part is not None and whole else None


# As ``MERGINGS`` has them for the engine.
_FINISHED: Mapping[str, Callable[..., Number]] = {
    "count": lambda rows: rows or 0,
    "sum": lambda total: total,
    "avg": _mean,
    "min": lambda least: least,
    "max": lambda most: most,
    "count_distinct": lambda values: (values or 0).bit_count(),
    "mape": _mean,
    "wape": _ratio,
    "bias": _ratio,
}
