"""What stands in a Parquet file is shown as JSON without loss, whatever its type."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, nan

import pyarrow as pa
import pytest

from app.formats import json_bytes
from app.query import Measure, Query, Where, compile_query

NOON = datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
STAMP = pa.timestamp("us")
PAIRS = [("b", 1), ("a", None)]


def shown(rows):
    """The rows as a strict reader sees them; numbers stay text."""
    return json.loads(json_bytes(rows), parse_int=str, parse_float=str, parse_constant=refuse)


def refuse(word):
    raise AssertionError(word)


CELLS = [
    (pa.array([2**63 - 1]), "9223372036854775807"),
    (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
    (pa.array([-128], pa.int8()), "-128"),
    (pa.array([0.1]), "0.1"),
    (pa.array([nan]), None),
    (pa.array([inf]), None),
    (pa.array([-inf], pa.float32()), None),
    (pa.array([Decimal("1.10")], pa.decimal128(5, 2)), "1.10"),
    (pa.array([Decimal("-0.0000001")], pa.decimal128(38, 10)), "-0.0000001000"),
    (pa.array([Decimal("9" * 38)], pa.decimal128(38, 0)), "9" * 38),
    (pa.array(["Größe \u2028 \0 \"quoted\""]), "Größe \u2028 \0 \"quoted\""),
    (pa.array(["a"]).dictionary_encode(), "a"),
    (pa.array([b"0123456789abcdef"], pa.uuid()), "30313233-3435-3637-3839-616263646566"),
    (pa.array([True]), True),
    (pa.array([date(1, 1, 1)]), "0001-01-01"),
    (pa.array([time(23, 59, 59, 999_999)]), "23:59:59.999999"),
    (pa.array([86_400_000_000]).cast(pa.time64("us")), "24:00:00"),
    (pa.array([NOON], pa.timestamp("us")), "2026-07-01T12:00:00.000005Z"),
    (pa.array([NOON], pa.timestamp("us", tz="Asia/Tokyo")), "2026-07-01T12:00:00.000005Z"),
    (pa.array([1_000], pa.timestamp("ms")), "1970-01-01T00:00:01Z"),
    (pa.array([1_000], pa.timestamp("s")), "1970-01-01T00:16:40Z"),
    (pa.array([1_000_000_001], pa.timestamp("ns")), "1970-01-01T00:00:01.000000001Z"),
    (pa.array([10**9], pa.timestamp("ns")), "1970-01-01T00:00:01Z"),
    (pa.array([b"\xff\x00"]), "/wA="),
    (pa.array(['{"a": 1.50, "b": [12345678901234567890]}'], pa.json_()),
     {"a": "1.50", "b": ["12345678901234567890"]}),
    (pa.array(['" text"'], pa.json_()), " text"),
    (pa.array(["null"], pa.json_()), None),
    (pa.array([[1, None, 2**63 - 1]]), ["1", None, "9223372036854775807"]),
    (pa.array([[2**64 - 1]], pa.list_(pa.uint64())), ["18446744073709551615"]),
    (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["1", "2"]),
    (pa.array([[nan, 0.5]]), [None, "0.5"]),
    (pa.array([[[]]], pa.list_(pa.list_(pa.int8()))), [[]]),
    (pa.array([{"x": [b"a"], "y": NOON, "z": Decimal("1.0")}]),
     {"x": ["YQ=="], "y": "2026-07-01T12:00:00.000005Z", "z": "1.0"}),
    (pa.array([{"x": [2**64 - 1], "y": None}], pa.struct({"x": pa.list_(pa.uint64()), "y": STAMP})),
     {"x": ["18446744073709551615"], "y": None}),
    (pa.array([PAIRS], pa.map_(pa.string(), pa.int64())),
     [{"key": "b", "value": "1"}, {"key": "a", "value": None}]),
    (pa.array([[(1, NOON)]], pa.map_(pa.int8(), pa.timestamp("us"))),
     [{"key": "1", "value": "2026-07-01T12:00:00.000005Z"}]),
    (pa.array([[([1], {"a": 1})]], pa.map_(pa.list_(pa.int8()), pa.struct({"a": pa.uint64()}))),
     [{"key": ["1"], "value": {"a": "1"}}]),
    (pa.array([[({"a": 1}, 2)]], pa.map_(pa.struct({"a": pa.int8()}), pa.int8())),
     [{"key": {"a": "1"}, "value": "2"}]),
    (pa.array([[]], pa.map_(pa.struct({"a": pa.int8()}), pa.int8())), []),
]  # fmt: skip


@pytest.fixture(scope="module")
def shelf(bench_at, tmp_path_factory):
    """A Table with a column for each case: its cell, then null."""
    bench = bench_at(tmp_path_factory.mktemp("shelf"))
    columns = {
        f"c{case}": pa.chunked_array([array, pa.nulls(1, array.type)])
        for case, (array, _) in enumerate(CELLS)
    }
    loaded = bench.load({"k": [1, 2], **columns})
    engine = bench.engine(loaded)
    return lambda **question: engine.run(compile_query(Query(loaded[0], **question)))


@pytest.mark.parametrize("case", range(len(CELLS)))
def test_a_cell_is_shown_without_loss_and_null_as_null(shelf, case):
    name, (_, json_value) = f"c{case}", CELLS[case]
    assert shown(shelf(select=[name], sort=["k"])) == [{name: json_value}, {name: None}]


def test_all_cells_are_shown_together(shelf):
    (row, _) = shown(shelf(sort=["k"]))
    assert list(row.values()) == ["1", *(json_value for _, json_value in CELLS)]


@pytest.mark.parametrize(
    ("array", "figure"),
    [
        (pa.array([2**64 - 1] * 2, pa.uint64()), str(2 * (2**64 - 1))),
        (pa.array([Decimal("1.10")] * 2), "2.20"),
        (pa.array([1.5] * 2), "3.0"),
    ],
)
def test_a_sum_is_shown_by_all_its_digits(bench, array, figure):
    rows = bench.ask({"k": [1, 2], "x": array}, measures=[Measure("total", "sum", ("x",))])
    assert shown(rows) == [{"total": figure}]


@pytest.mark.parametrize("function", ["min", "max"])
def test_the_ends_of_nanoseconds_keep_theirs(bench, function):
    columns = {"k": [1, 2], "x": pa.array([1, 1], pa.timestamp("ns"))}
    rows = bench.ask(columns, measures=[Measure("end", function, ("x",))])
    assert shown(rows) == [{"end": "1970-01-01T00:00:00.000000001Z"}]


def test_nanoseconds_are_grouped_and_sorted_as_times(bench):
    times = pa.array([10**9, 10**9 + 1, None, 10**9], pa.timestamp("ns"))
    count = Measure("n", "count")
    rows = bench.ask({"k": [1, 2, 3, 4], "x": times}, group_by=["x"], measures=[count], sort=["-x"])
    assert shown(rows) == [
        {"x": "1970-01-01T00:00:01.000000001Z", "n": "1"},
        {"x": "1970-01-01T00:00:01Z", "n": "2"},
        {"x": None, "n": "1"},
    ]


@pytest.mark.parametrize(
    ("operator", "value", "fitting"),
    [
        ("lt", datetime(3000, 1, 1), [1, 2]),  # noqa: DTZ001 - as parameters are read
        ("lte", date(9999, 12, 31), [1, 2]),
        ("gt", date(1, 1, 1), [1, 2]),
        ("gte", date(1970, 1, 2), [2]),
        ("in", [date(9999, 12, 31), date(1970, 1, 2)], [2]),
        ("eq", date(9999, 12, 31), []),
    ],
)
def test_nanoseconds_compare_with_times_that_they_cannot_hold(bench, operator, value, fitting):
    day = 86_400 * 10**9
    columns = {"k": [1, 2, 3], "x": pa.array([1, day, None], pa.timestamp("ns"))}
    rows = bench.ask(columns, select=["k"], where=[Where("x", operator, value)], sort=["k"])
    assert [key for (key,) in rows.cells] == fitting
