"""Finds what ``prepare`` asks for that no Table can have. Pure."""

from collections.abc import Iterator, Sequence

from app.dataset import Dataset, Rollup
from app.query.measures import FUNCTIONS, functions_of, is_scalar
from app.query.query import read_order
from app.query.rollups import read_measure


def unfit(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Find the orders and rollups that cannot be: the column, and what to say of it."""
    for name, order in dataset.prepare.orders.items():
        for column, told in _order(dataset, order):
            yield column, f"{name}: {told}"
    for name, rollup in dataset.prepare.rollups.items():
        for column, told in (*_groups(dataset, rollup), *_measures(dataset, rollup)):
            yield column, f"{name}: {told}"


def _order(dataset: Dataset, order: Sequence[str]) -> Iterator[tuple[str, str]]:
    names = [column for column, _ in read_order(order, [each.name for each in dataset.columns])]
    yield from _unknown(dataset, names)
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield name, f"column {name!r} stands twice"


def _groups(dataset: Dataset, rollup: Rollup) -> Iterator[tuple[str, str]]:
    yield from _unknown(dataset, rollup.by)
    for column in filter(None, map(dataset.column, rollup.by)):
        if not is_scalar(column):
            yield column.name, f"column {column.name!r} is {column.type}: it cannot be grouped by"


def _measures(dataset: Dataset, rollup: Rollup) -> Iterator[tuple[str, str]]:
    for text in rollup.measures:
        measure = read_measure(text)
        needed = FUNCTIONS[measure.function].columns
        if len(measure.columns) != needed:
            yield "", f"{text!r} names {len(measure.columns)} columns and needs {needed}"
        yield from _unknown(dataset, measure.columns)
        for column in filter(None, map(dataset.column, measure.columns)):
            allowed = functions_of(column)
            # Of a forecast and its actual are needed what sums are made of.
            if ("sum" if needed > 1 else measure.function) not in allowed:
                told = ", ".join(allowed) or "nothing"
                yield column.name, f"{text!r} cannot be asked of it; allowed: {told}"


def _unknown(dataset: Dataset, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find what the file may have and a ``strict`` dataset does not serve."""
    for name in names:
        if not dataset.has_column(name):
            yield name, f"no column {name!r} is served"
