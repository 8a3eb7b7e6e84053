"""Which Queries are stretches of a Table in the order of its keys, and which are not."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from app.dataset import Column, Constant, Dataset, Lineage
from app.query import (
    KEYS,
    AnyOf,
    Measure,
    NanoTime,
    Query,
    Where,
    export_stretches,
    orders_of,
    stretch,
)

COLUMNS = (
    Column("item", "string", physical="VARCHAR", stored="item"),
    Column("day", "timestamp", physical="TIMESTAMP", stored="day"),
    Column("run", "integer", physical="BIGINT", stored="run"),
    Column("x", "number", physical="DOUBLE", stored="x"),
    Column("at", "timestamp", physical="TIMESTAMP", stored="at"),
    Column("nano", "timestamp", physical="TIMESTAMP_NS", stored="nano", required=True),
)
NONE = Constant("none")
SALES = Dataset(
    "sales", "gold", "*.parquet", ("item", "day", "run"), Lineage(NONE, NONE, NONE), columns=COLUMNS
)
NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - as the engine's
ITEM, DAY = Where("item", "eq", "a"), Where("day", "eq", NOON)
SORT = ("item", "day", "run")


def read(**question):
    return stretch(Query(SALES, **question), orders_of(SALES)[KEYS])


@pytest.mark.parametrize(
    ("where", "sort", "equal"),
    [
        ([], SORT, ()),
        ([ITEM], ("day", "run"), ("a",)),
        ([ITEM], ("item", "day", "-item", "run"), ("a",)),
        ([ITEM], ("-day", "-run"), ("a",)),
        ([DAY, ITEM], ("run",), ("a", NOON)),
        ([ITEM, Where("day", "gte", NOON), Where("day", "lt", NOON)], ("day", "run"), ("a",)),
        ([ITEM, DAY, Where("run", "eq", 1)], (), ("a", NOON, 1)),
        ([ITEM, DAY, Where("run", "eq", 1)], ("-x",), ("a", NOON, 1)),
    ],
)
def test_leading_keys_and_a_range_of_the_next_are_a_stretch(where, sort, equal):
    assert read(where=where, sort=sort).equal == equal


@pytest.mark.parametrize(
    ("where", "sifted"),
    [
        ([ITEM, ITEM], [ITEM]),
        ([Where("item", "ne", "a")], [Where("item", "ne", "a")]),
        ([Where("item", "in", ["a"]), DAY], [Where("item", "in", ["a"]), DAY]),
        ([Where("run", "eq", 1), ITEM], [Where("run", "eq", 1)]),
        ([ITEM, Where("x", "isnull", value=True)], [Where("x", "isnull", value=True)]),
    ],
)
def test_what_no_search_finds_is_asked_of_each_row(where, sifted):
    asked = read(where=where, sort=SORT)
    assert (asked.equal, asked.bounds) == (("a",) if ITEM in where else (), ())
    assert asked.sifted == tuple(sifted)


@pytest.mark.parametrize(
    "question",
    [
        {"where": [ITEM]},
        {"where": [ITEM], "sort": ("day",)},
        {"where": [ITEM], "sort": ("day", "-run")},
        {"where": [ITEM], "sort": ("x", "day", "run")},
        {"where": [Where("item", "icontains", "a")], "sort": SORT},
        {"where": [Where("x", "eq", 1)], "sort": SORT},
        {"where": [Where("x", "in", [1.0, 1])], "sort": SORT},
        {"where": [AnyOf((ITEM,))], "sort": SORT},
        {"where": [ITEM, Where("day", "eq", date(2026, 1, 2))], "sort": SORT},
        {"where": [ITEM, Where("day", "eq", NanoTime("2026-01-02"))], "sort": SORT},
        {"where": [ITEM, Where("day", "eq", NOON.replace(tzinfo=UTC))], "sort": SORT},
        {"where": [Where("item", "gt", 5)], "sort": SORT},
        {"where": [ITEM], "measures": (Measure("n", "count"),)},
        {"sort": SORT, "after": ("a", NOON, None)},
        {"where": [ITEM], "sort": SORT, "after": ("b", NOON, 1)},
        {"where": [ITEM, DAY, Where("run", "eq", 1)], "sort": SORT, "after": ("a", NOON, 1)},
    ],
)
def test_what_is_not_certain_is_left_to_the_engine(question):
    assert read(**question) is None


def test_a_day_among_timestamps_ends_with_the_next_one():
    asked = read(where=[ITEM, Where("day", "lte", date(2026, 1, 2))], sort=("day", "run"))
    assert asked.bounds == (Where("day", "lt", datetime(2026, 1, 3)),)  # noqa: DTZ001 - as above


def test_a_renamed_dataset_is_read_by_the_names_of_its_table():
    renamed = SALES.renamed({"item_id": "item", "category": Constant("all")})
    where = (Where("item_id", "gt", "a"),)
    query = Query(renamed, ("x", "category"), where, sort=("item_id", "day", "run"))
    asked = stretch(query, orders_of(renamed)[KEYS])
    assert asked.outline.order == tuple((name, False) for name in SALES.keys)
    assert [column.stored for column in asked.outline.columns] == ["x", Constant("all")]


TIMED = replace(SALES, time="day")


def exported(dataset=TIMED, **question):
    return {name: each.time for name, each in export_stretches(Query(dataset, **question))}


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({}, {KEYS: "day"}),
        ({"dataset": SALES}, {KEYS: None}),
        ({"where": [ITEM], "select": ["x"], "limit": 5}, {KEYS: "day"}),
        ({"sort": ["item"]}, {KEYS: None}),
        ({"where": [ITEM], "sort": ["day", "run"]}, {KEYS: None}),
        ({"sort": ["x"]}, {}),
        ({"where": [Where("x", "eq", 1)]}, {}),
        # What lacks a time, or tells it by nanoseconds, is in an order of the engine's own.
        ({"dataset": replace(SALES, time="at")}, {}),
        ({"dataset": replace(SALES, time="nano")}, {}),
    ],
)
def test_an_export_is_a_stretch_in_the_order_of_time_unless_it_is_sorted(question, found):
    assert exported(**question) == found


def test_an_export_of_a_renamed_dataset_is_sorted_by_the_time_of_its_table():
    renamed = TIMED.renamed({"item_id": "item", "date": "day"})
    assert exported(renamed) == {KEYS: "day"}
