"""Figures of one group, put together in Python of the few rows of a rollup that make it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, localcontext
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
from app.query.rows import Rows, WideInteger
from app.query.stretch import Stretch, stretch

# Digits that no sum of a decimal needs more of.
_EXACT = Context(80)

# What `Any` is here: numbers of one kind or another, as the parts of a figure are.
Number = Any


@dataclass(frozen=True, slots=True)
class Merge:
    """Which rows of which rollup make the figures of a Query."""

    rollup: RolledUp
    stretch: Stretch
    query: Query

    def figures(self, read: Rows) -> Rows:
        """Give the one row of figures, with the lineage of what they are made of."""
        names = [column.name for column in read.columns]
        cells = zip(*read.cells, strict=True) if read.cells else ((),) * len(names)
        parts = dict(zip(names, map(tuple, cells), strict=True))
        made = [self._figure(measure, parts) for measure in self.query.measures]
        columns, row = zip(*made, strict=True)
        return Rows(columns, [row], read.stamp)

    def _figure(
        self, measure: Measure, cells: Mapping[str, Sequence[Number]]
    ) -> tuple[Column, object]:
        columns = [self.query.column(name) for name in measure.columns]
        needed = parts_of(measure.function, stored_names(columns))
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
    if not query.measures or query.group_by or query.window or query.limit is not None:
        return None
    rollup = rollup_for(query, windowed=False)
    if rollup is None or any(
        rollup.of_groups(each, _columns(query, each)) for each in query.measures
    ):
        return None
    dataset = _as_rows(query.dataset, rollup.table)
    sort = tuple((key, False) for key in dataset.keys)
    order = tuple((name, False) for name in rollup.groups)
    asked = stretch(Query(dataset, tuple(rollup.parts.values()), query.where, sort=sort), order)
    return None if asked is None else Merge(rollup, asked, query)


def _columns(query: Query, measure: Measure) -> list[Column]:
    return [query.column(name) for name in measure.columns]


@lru_cache(maxsize=512)
def _as_rows(dataset: Dataset, name: str) -> Dataset:
    """Give a rollup as if it were a dataset: its groups are the keys, its parts are columns."""
    rollup = rolled_up(dataset, name)
    called = {dataset.stored_name(column.name): column.name for column in dataset.columns}
    parts = [Column(part, stored=part) for part in rollup.parts.values()]
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
        return sum(known[1:], known[0])


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
