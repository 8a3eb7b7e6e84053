"""What a Query means, asked of a real Table."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, nan

import pyarrow as pa
import pytest

from app.dataset import Column, Constant, Dataset, Lineage
from app.formats import json_bytes
from app.query import (
    NO_STAMP,
    OPERATORS,
    TYPES,
    AnyOf,
    Measure,
    Query,
    Rows,
    Stamp,
    Where,
    WideInteger,
    compile_query,
    read_value,
    value_schema,
)

COLUMNS = {
    "k": [1, 2, 3, 4],
    "text": ["Ab%", "b_c", None, "it's 'ab'"],
    "amount": [1.5, nan, None, -2.0],
    "units": pa.array([10, None, 30, 40], pa.int16()),
    "price": pa.array([Decimal("1.10"), Decimal("2.00"), None, Decimal("3.30")]),
    "day": [date(2026, 1, 31), date(2026, 2, 1), None, date(2026, 2, 2)],
    "at": pa.array([datetime(2026, 1, 31, 23, tzinfo=UTC), None, None, None], pa.timestamp("us")),
    "hour": [time(8), time(9, 30), None, time(23, 59, 59, 999_999)],
    "open": [True, False, None, True],
    "mark": [b"\x00", b"\xff", None, b"it's"],
    "parts": [[1], [], None, [2, 3]],
}
LATER = datetime(2026, 1, 31, 22, 59)  # noqa: DTZ001 - as parameters are read: UTC without zone


@pytest.fixture(scope="module")
def shop(bench_at, tmp_path_factory):
    bench = bench_at(tmp_path_factory.mktemp("shop"))
    loaded = bench.load(COLUMNS, dataset=bench.dataset(time="day"))
    engine = bench.engine(loaded)
    return lambda **question: engine.run(compile_query(Query(loaded[0], **question)))


def keys(rows):
    return [row["k"] for row in rows]


@pytest.mark.parametrize(
    ("condition", "fitting"),
    [
        (("units", "eq", 10), [1]),
        (("units", "ne", 10), [2, 3, 4]),
        (("units", "in", [10, 40, 99_999]), [1, 4]),
        (("units", "in", []), []),
        (("units", "not_in", [10, 40]), [2, 3]),
        (("units", "not_in", []), [1, 2, 3, 4]),
        (("units", "gt", 10), [3, 4]),
        (("units", "lte", WideInteger(2**126)), [1, 3, 4]),
        (("units", "in", [10, WideInteger(2**126)]), [1]),
        (("units", "isnull", True), [2]),
        (("units", "isnull", False), [1, 3, 4]),
        (("amount", "eq", 1.5), [1]),
        (("amount", "ne", 1.5), [2, 3, 4]),
        (("amount", "not_in", [1.5]), [2, 3, 4]),
        (("amount", "gt", -5.0), [1, 4]),
        (("amount", "gte", -2.0), [1, 4]),
        (("amount", "lt", 1e308), [1, 4]),
        (("amount", "isnull", True), [2, 3]),
        (("amount", "isnull", False), [1, 4]),
        (("price", "eq", Decimal("1.1")), [1]),
        (("price", "lt", Decimal("9" * 38)), [1, 2, 4]),
        (("price", "gt", Decimal("-1E+60")), [1, 2, 4]),
        (("price", "in", [Decimal("1.101"), Decimal("3.3")]), [4]),
        (("day", "gte", date(2026, 2, 1)), [2, 4]),
        (("at", "gt", LATER), [1]),
        (("hour", "lt", time(9, 30)), [1]),
        (("open", "eq", False), [2]),
        (("open", "ne", True), [2, 3]),
        (("mark", "eq", b"\xff"), [2]),
        (("text", "contains", "b"), [1, 2, 4]),
        (("text", "contains", ""), [1, 2, 4]),
        (("text", "contains", "%"), [1]),
        (("text", "contains", "_"), [2]),
        (("text", "icontains", "AB"), [1, 4]),
        (("text", "startswith", "it's '"), [4]),
        (("text", "gt", "Ab%"), [2, 4]),
        (("parts", "isnull", True), [3]),
    ],
)
def test_a_condition_lets_through_the_rows_that_fit(shop, condition, fitting):
    asked = shop(select=["k"], where=[Where(*condition)], sort=["k"])
    assert keys(asked) == fitting


def test_every_operator_of_every_type_is_understood(shop):
    for column in COLUMNS:
        for operator in TYPES[shop(select=[column]).columns[0].type].operators:
            sample = COLUMNS[column][0]
            sample = sample.as_py() if isinstance(sample, pa.Scalar) else sample
            value = [sample] if operator in {"in", "not_in"} else sample
            shop(where=[Where(column, operator, True if operator == "isnull" else value)])


@pytest.mark.parametrize(
    ("where", "fitting"),
    [
        ([], [1, 2, 3, 4]),
        ([Where("k", "gt", 1), Where("k", "lt", 4)], [2, 3]),
        ([AnyOf((Where("k", "eq", 1), Where("open", "isnull", value=True)))], [1, 3]),
        ([Where("k", "gt", 1), AnyOf((Where("k", "eq", 1), Where("k", "eq", 4)))], [4]),
        ([AnyOf((Where("units", "in", [10]), Where("k", "not_in", [1, 2])))], [1, 3, 4]),
        ([AnyOf(())], []),
    ],
)  # fmt: skip
def test_conditions_hold_together_and_of_any_of_one_is_enough(shop, where, fitting):
    assert keys(shop(select=["k"], where=where, sort=["k"])) == fitting


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (["amount", "k"], [4, 1, 2, 3]),
        (["-amount", "k"], [1, 4, 2, 3]),
        (["text"], [1, 2, 4, 3]),
        (["-text"], [4, 2, 1, 3]),
        (["open", "-k"], [2, 4, 1, 3]),
    ],
)
def test_nulls_and_nan_come_last_both_ways(shop, sort, order):
    assert keys(shop(select=["k"], sort=sort)) == order


@pytest.mark.parametrize(
    ("limit", "offset", "page"),
    [(2, 0, [1, 2]), (2, 3, [4]), (0, 0, []), (None, 3, [4]), (9, 9, []), (2**40, 0, [1, 2, 3, 4])],
)
def test_a_page_is_cut_by_limit_and_offset(shop, limit, offset, page):
    assert keys(shop(select=["k"], sort=["k"], limit=limit, offset=offset)) == page


def test_rows_have_the_columns_asked_for_in_that_order_or_all(shop):
    assert [column.name for column in shop(select=["text", "k"]).columns] == ["text", "k"]
    assert [column.name for column in shop().columns] == list(COLUMNS)


@pytest.mark.parametrize(
    "question",
    [
        {"select": ["Text"]},
        {"where": [Where("nope", "eq", 1)]},
        {"where": [AnyOf((Where("nope", "eq", 1),))]},
        {"sort": ["-nope"]},
        {"group_by": ["nope"], "measures": [Measure("n", "count")]},
        {"measures": [Measure("n", "sum", ("nope",))]},
    ],
)
def test_a_column_that_is_not_served_is_refused_with_its_name(shop, question):
    with pytest.raises(LookupError, match=r"has no column '(nope|Text)'"):
        shop(**question)


@pytest.mark.parametrize(
    ("window", "windows"),
    [
        ("day", [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2), None]),
        ("week", [date(2026, 1, 26), date(2026, 2, 2), None]),
        ("month", [date(2026, 1, 1), date(2026, 2, 1), None]),
        ("quarter", [date(2026, 1, 1), None]),
        ("year", [date(2026, 1, 1), None]),
    ],
)
def test_a_window_is_told_by_its_first_day_and_weeks_start_on_monday(shop, window, windows):
    rows = shop(measures=[Measure("n", "count")], window=window, sort=["window"])
    assert [row["window"] for row in rows] == windows
    assert sum(row["n"] for row in rows) == 4


def test_groups_of_a_window_and_columns(shop):
    count = Measure("n", "count")
    rows = shop(group_by=["open"], measures=[count], window="month", sort=["-window", "open"])
    assert [tuple(row.values()) for row in rows] == [
        (date(2026, 2, 1), False, 1),
        (date(2026, 2, 1), True, 1),
        (date(2026, 1, 1), True, 1),
        (None, None, 1),
    ]


def test_null_and_nan_are_one_group(shop):
    rows = shop(group_by=["amount"], measures=[Measure("n", "count")], sort=["-amount"])
    assert [tuple(row.values()) for row in rows] == [(1.5, 1), (-2.0, 1), (None, 2)]


@pytest.mark.parametrize(
    ("function", "column", "figure"),
    [
        ("count", "amount", 2),
        ("count_distinct", "open", 2),
        ("sum", "amount", -0.5),
        ("sum", "price", Decimal("6.40")),
        ("avg", "units", 80 / 3),
        ("avg", "amount", -0.25),
        ("min", "amount", -2.0),
        ("max", "amount", 1.5),
        ("max", "text", "it's 'ab'"),
        ("min", "day", date(2026, 1, 31)),
        ("max", "hour", time(23, 59, 59, 999_999)),
    ],
)
def test_a_measure_leaves_out_null_and_nan(shop, function, column, figure):
    assert shop(measures=[Measure("m", function, (column,))]).first() == {"m": figure}


def test_figures_of_no_rows_are_null_and_counts_zero(shop):
    measures = [Measure("n", "count"), Measure("total", "sum", ("units",))]
    assert shop(where=[AnyOf(())], measures=measures).first() == {"n": 0, "total": None}


def test_a_measure_may_have_the_name_of_a_column_and_sort_by_itself(shop):
    total = Measure("amount", "sum", ("amount",))
    rows = shop(group_by=["k"], measures=[total], sort=["-amount", "k"])
    assert keys(rows) == [1, 4, 2, 3]


def test_sums_of_integers_keep_all_their_digits(bench):
    columns = {"k": [1, 2, 3], "big": pa.array([2**64 - 1] * 3, pa.uint64())}
    rows = bench.ask(columns, measures=[Measure("total", "sum", ("big",))])
    assert rows.first() == {"total": 3 * (2**64 - 1)}
    assert json_bytes(rows) == b'[{"total":55340232221128654845}]'


PAIRS = {
    "good": ([10.0, 30.0], [20.0, 20.0]),
    "half known": ([10.0, 99.0, 5.0, 7.0], [8.0, None, nan, 0.0]),
    "forecast missing": ([None, nan, 6.0], [4.0, 4.0, 4.0]),
    "only zeros": ([1.0, 2.0], [0.0, 0.0]),
    "nothing known": ([1.0], [None]),
    "sum of zero": ([1.0, 1.0], [5.0, -5.0]),
    "no rows": ([], []),
}


@pytest.mark.parametrize(
    ("pair", "errors"),
    [
        # mape is the mean of 10/20 and 10/20, wape 20/40, bias 0/40.
        ("good", (50.0, 50.0, 0.0)),
        # A zero has a part in the sums, and none in the mean: 2/8, then 9/8 twice.
        ("half known", (25.0, 112.5, 112.5)),
        # One row has both, and is off by 2/4.
        ("forecast missing", (50.0, 50.0, 50.0)),
        ("only zeros", (None, None, None)),
        ("nothing known", (None, None, None)),
        # The mean of 4/5 and 6/5, then 10/10, then nothing to divide by.
        ("sum of zero", (100.0, 100.0, None)),
        ("no rows", (None, None, None)),
    ],
)
def test_the_errors_of_a_forecast_are_as_defined(bench, pair, errors):
    forecast, actual = (pa.array(values, pa.float64()) for values in PAIRS[pair])
    columns = {"k": pa.array(range(len(forecast)), pa.int64()), "f": forecast, "a": actual}
    measures = [Measure(name, name, ("f", "a")) for name in ("mape", "wape", "bias")]
    (figures,) = bench.ask(columns, measures=measures).cells
    assert figures == tuple(map(pytest.approx, errors))


@pytest.mark.parametrize("kind", [pa.uint8(), pa.int8(), pa.uint64(), pa.decimal128(21, 2)])
def test_errors_of_small_and_unsigned_numbers_do_not_overflow(bench, kind):
    columns = {"k": [1, 2], "f": pa.array([1, 0]).cast(kind), "a": pa.array([101, 100]).cast(kind)}
    rows = bench.ask(columns, measures=[Measure("bias", "bias", ("f", "a"))])
    assert rows.first() == {"bias": pytest.approx(-200 / 201 * 100)}


QUOTED = ["'; DROP TABLE data; --", '" OR 1=1 --', "a\nb", "\\", "?", "$1", "'" * 50, "\0"]


@pytest.mark.parametrize("text", QUOTED)
def test_no_value_stands_in_the_text_of_a_statement(bench, text):
    dataset, _ = loaded = bench.load({"k": [1, 2], "text": [text, "other"]})
    for operator in ("eq", "in", "startswith"):
        value = [text] if operator == "in" else text
        statement = compile_query(Query(dataset, ["k"], [Where("text", operator, value)], limit=7))
        assert statement.values == (text, 7 + 1)  # one more tells that there are more
        assert text not in statement.sql.replace("?", "") or text == "?"
        assert bench.engine(loaded).run(statement).cells == [(1,)]


NAMES = [
    'a"b',
    "it's",
    "a;--",
    "select",
    "limit",
    "a b",
    "a\nb",
    "a__gte",
    "Größe",
    "?",
    "%s",
    "{x}",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_column_name_can_be_asked_for(bench, name):
    question = {"select": [name], "where": [Where(name, "gt", 1)], "sort": [f"-{name}"]}
    assert bench.ask({"k": [1, 2], name: [1, 2]}, **question).cells == [(2,)]
    total = Measure(name, "sum", (name,))
    columns, lineage = {"k": [1, 2], name: [1, 2]}, Constant(f"run {name}")
    made = Constant("2026-01-01T00:00:00Z")
    dataset = bench.dataset(keys=[name], lineage=Lineage(lineage, lineage, made))
    assert bench.ask(columns, dataset, group_by=["k"], measures=[total], sort=[name]).cells[0] == (
        1,
        1,
    )


@pytest.mark.parametrize("name", ["memory", "system", "temp", "main", "select", "data"])
def test_any_dataset_name_can_be_asked_for(bench, name):
    assert bench.ask({"k": [1]}, bench.dataset(name)).cells == [(1,)]


def test_the_text_is_made_once_for_each_shape_of_query():
    lineage = Lineage(*map(Constant, "abc"))
    dataset = Dataset("d", "s", "p", ("k",), lineage, columns=(Column("k", type="integer"),))

    def text(value, **more):
        return compile_query(Query(dataset, where=[Where("k", "in", value)], **more)).sql

    assert text([1, 2], limit=3) is text([3, 4], limit=5)
    assert text([1, 2]) != text([1])
    assert text([1], limit=1) != text([1])
    assert text([1]).count("?") == 1


def test_the_stamp_is_that_of_the_newest_row_answered(bench):
    made = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 2, 1)]
    columns = {"k": [1, 2, 3, 4], "run": list("abcd"), "model": ["v9", "v1", "v2", "v9"]}
    dataset = bench.dataset(lineage=Lineage("run", "model", "made"))
    loaded = bench.load({**columns, "made": pa.array(made)}, dataset=dataset)
    engine = bench.engine(loaded)

    def stamp(**question):
        return engine.run(compile_query(Query(loaded[0], **question))).stamp

    newest = Stamp("c", "v2", "2026-01-02T00:00:00Z", ("v1", "v2", "v9"))
    assert stamp(select=["k"]) == newest
    assert stamp(where=[Where("k", "in", [1, 4])]) == Stamp(
        "d", "v9", "2026-01-01T00:00:00Z", ("v9",)
    )
    assert stamp(where=[AnyOf(())]) == NO_STAMP


NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - UTC, as the engine has it
STAMPED = "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    ("columns", "stamp"),
    [
        (([], [], []), NO_STAMP),
        ((["a"] * 2, ["v1"] * 2, [NOON] * 2), Stamp("a", "v1", STAMPED, ("v1",))),
        ((["b", "a"], ["v1", "v2"], [NOON] * 2), Stamp("a", "v2", STAMPED, ("v1", "v2"))),
        ((["a"], [["v1", 2]], [NOON]), Stamp("a", "['v1', 2]", STAMPED, ("['v1', 2]",))),
    ],
)
def test_a_stamp_of_columns_is_that_of_the_newest_row(columns, stamp):
    assert Stamp.of_columns(*columns) == stamp


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (NO_STAMP, Stamp("a", "v1", "2026-01-01T00:00:00Z", ("v1",))),
        (
            Stamp("z", "v9", "2026-01-01T00:00:00Z", ("v9",)),
            Stamp("a", "v1", "2026-01-01T00:00:00.5Z", ("v1",)),
        ),
        (
            Stamp("z", "v1", "2026-01-01T00:00:00Z", ("v1",)),
            Stamp("a", "v2", "2026-01-01T00:00:00Z", ("v2",)),
        ),
    ],
)
def test_two_stamps_together_are_the_newer_with_all_versions(older, newer):
    for joined in (older.joined(newer), newer.joined(older)):
        assert (joined.dataset_id, joined.generated_at) == (newer.dataset_id, newer.generated_at)
        assert joined.model_versions == tuple(
            sorted({*older.model_versions, *newer.model_versions})
        )


def test_rows_are_records_and_can_be_counted():
    rows = Rows((Column("a"), Column("b")), [(1, 2), (3, 4)], NO_STAMP)
    assert list(rows) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert (len(rows), rows.first()) == (2, {"a": 1, "b": 2})
    assert Rows((Column("a"),), [], NO_STAMP).first() is None


def test_a_renamed_dataset_is_asked_by_its_new_names(bench):
    dataset, table = bench.load({"k": [1, 2], "qty": [6, 5], "stored": [{"k": 9}, {"k": 8}]})
    renamed = dataset.renamed({"id": "k", "k": "qty", "kind": Constant("it's")})
    engine = bench.engine((dataset, table))

    def cells(**question):
        return engine.run(compile_query(Query(renamed, ["id", "k", "kind"], **question))).cells

    assert cells(sort=["-id"]) == [(2, 5, "it's"), (1, 6, "it's")]
    where = [Where("k", "eq", 6), Where("kind", "eq", "it's")]
    assert cells(where=where) == [(1, 6, "it's")]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "-7", -7),
        ("integer", "+7", 7),
        ("integer", str(2**126), WideInteger(2**126)),
        ("number", "1e3", 1000.0),
        ("decimal", "12.50", Decimal("12.50")),
        ("string", "", ""),
        ("boolean", "false", False),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("time", "13:45", time(13, 45)),
        ("timestamp", "2026-01-31T01:00:00+02:00", datetime(2026, 1, 30, 23)),  # noqa: DTZ001
        ("timestamp", "2026-01-31T01:00:00", datetime(2026, 1, 31, 1)),  # noqa: DTZ001
        ("timestamp", "2026-01-31", datetime(2026, 1, 31)),  # noqa: DTZ001
        ("binary", "/w==", b"\xff"),
    ],
)
def test_a_parameter_is_read_as_a_value_of_its_type(kind, text, value):
    read = read_value(kind, text)
    assert (read, type(read)) == (value, type(value))


WRONG = {
    "integer": ["", "1.0", "1e3", "--1", "1_000", " 1", "٣", "0x1", "9" * 5_000, str(2**127)],
    "number": ["", "NaN", "inf", "-Infinity", "1_0", "1,5", "1e999", "abc"],
    "decimal": ["", "NaN", "Infinity", "1_0", "1" * 39, "abc"],
    "boolean": ["", "TRUE", "1", "yes"],
    "date": [
        "",
        "2026-1-1",
        "2026-02-30",
        "20260131",
        "2026-01-31T00:00",
        "0000-01-01",
        "2026-W05-6",
    ],
    "time": ["", "25:00", "13:45+01:00", "noon"],
    "timestamp": ["", "now", "2026-13-01T00:00:00", "0001-01-01T00:00:00+14:00"],
    "binary": ["/w=", "ÿ", "/w==\n"],
    "json": ["{}"],
    "list": ["[]"],
    "struct": ["{}"],
    "map": ["{}"],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in WRONG.items() for t in texts])
def test_a_parameter_of_the_wrong_form_is_refused_with_what_was_expected(kind, text):
    with pytest.raises(ValueError, match=f"^expected {TYPES[kind].expected}$"):
        read_value(kind, text)


def test_the_table_of_types_speaks_of_known_operators_only():
    assert {operator for kind in TYPES.values() for operator in kind.operators} == set(OPERATORS)
    assert all(kind.name == name and "isnull" in kind.operators for name, kind in TYPES.items())


def test_a_schema_may_allow_null():
    assert value_schema("date", nullable=True) == {"type": ["string", "null"], "format": "date"}
    assert value_schema("json", nullable=True) == {}
    value_schema("integer")["type"] = "changed"
    assert value_schema("integer") == TYPES["integer"].json_schema


@pytest.mark.parametrize("value", [inf, -inf])
def test_infinity_is_a_number_to_filters_and_sorts(bench, value):
    columns = {"k": [1, 2, 3], "x": [0.0, nan, value]}
    where = [Where("x", "gt" if value > 0 else "lt", 0.0)]
    assert bench.ask(columns, select=["k"], where=where).cells == [(3,)]


@pytest.mark.parametrize(
    ("operator", "day", "found"),
    [
        ("lte", date(2026, 1, 2), [1, 2, 3]),
        ("gt", date(2026, 1, 2), [4]),
        ("lt", date(2026, 1, 2), [1]),
        ("gte", date(2026, 1, 2), [2, 3, 4]),
        ("lte", date.max, [1, 2, 3, 4]),
        ("gt", date.max, []),
    ],
)
def test_a_day_asked_of_timestamps_is_all_of_the_day(bench, operator, day, found):
    moments = [
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(2026, 1, 2, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 1, 3, tzinfo=UTC),
    ]
    where = [Where("t", operator, day)]
    rows = bench.ask({"k": [1, 2, 3, 4], "t": moments}, select=["k"], where=where, sort=["k"])
    assert [cell for (cell,) in rows.cells] == found
