"""Finds what ``prepare`` asks for that no Table can have. Pure."""

from collections.abc import Iterator

from app.dataset import Dataset, Rollup
from app.query.measures import FUNCTIONS, functions_of, is_scalar
from app.query.query import Query, read_order
from app.query.rollups import read_measure


def unfit(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Find the orders and rollups that cannot be: the column, and what to say of it."""
    names = [column.name for column in dataset.columns]
    for name, order in dataset.prepare.orders.items():
        columns = [column for column, _ in read_order(order, names)]
        for column in sorted({each for each in columns if columns.count(each) > 1}):
            yield column, f"{name}: column {column!r} stands twice"
    for name, rollup in dataset.prepare.rollups.items():
        for column, told in (*_groups(dataset, rollup), *_measures(dataset, rollup)):
            yield column, f"{name}: {told}"


def _groups(dataset: Dataset, rollup: Rollup) -> Iterator[tuple[str, str]]:
    for name in rollup.by:
        column = Query(dataset).column(name)
        if not is_scalar(column):
            yield name, f"column {name!r} is {column.type}, which cannot be grouped by"


def _measures(dataset: Dataset, rollup: Rollup) -> Iterator[tuple[str, str]]:
    for text in rollup.measures:
        measure = read_measure(text)
        needed = FUNCTIONS[measure.function].columns
        if len(measure.columns) != needed:
            yield "", f"{text!r} needs {needed} columns, as in function:column"
        for name in measure.columns:
            allowed = functions_of(Query(dataset).column(name))
            # Of a forecast and its actual are needed what sums are made of.
            if ("sum" if needed > 1 else measure.function) not in allowed:
                told = ", ".join(allowed) or "nothing"
                yield name, f"{text!r} cannot be asked of it; allowed: {told}"
