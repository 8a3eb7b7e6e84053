"""What is prepared changes no answer: orders and rollups against the rows themselves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf, isclose, nan

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dataset import Column, Lineage, Prepare, Rollup
from app.errors import TableError
from app.query import (
    KEYS,
    NO_STAMP,
    TABLE,
    AnyOf,
    Measure,
    Query,
    Where,
    compile_query,
    compile_summary,
    merge,
    orders_of,
    stretch,
)
from app.query.rollups import MERGINGS
from app.registry.checks import MERGED
from app.table import Table

LARGE = 1 << 20
DAYS = [date(2026, 1, 1) + timedelta(days) for days in range(40)]
MADE = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = 1_200
PLACES = ["north", "south", "", None]
PRICES = [1.5, -0.0, 0.0, None, 1e300, nan, 2.25]
# Numbers whose sums are exact in any order.
COLUMNS = {
    "item": pa.array([f"I-{n % 30}" for n in range(COUNT)]),
    "day": pa.array([DAYS[n // 30] for n in range(COUNT)]),
    "place": pa.array([PLACES[n % 7 % 4] for n in range(COUNT)]),
    "price": pa.array([PRICES[n % 11 % 7] for n in range(COUNT)], pa.float64()),
    "forecast": pa.array([n % 64 / 4 for n in range(COUNT)]),
    "actual": pa.array([None if n % 5 == 0 else n % 48 / 4 for n in range(COUNT)]),
    "pieces": pa.array([None if n % 9 == 0 else n - 600 for n in range(COUNT)], pa.int32()),
    "wide": pa.array([2**63 + n for n in range(COUNT)], pa.uint64()),
    "money": pa.array([Decimal(n) / 100 for n in range(COUNT)], pa.decimal128(12, 2)),
    "version": pa.array([f"v{n // 600}" for n in range(COUNT)]),
    "made": pa.array([MADE + timedelta(minutes=n % 17) for n in range(COUNT)]),
}
MEASURES = (
    *("count", "sum:pieces", "avg:pieces", "min:pieces", "max:pieces", "count_distinct:item"),
    *("sum:wide", "avg:money", "sum:money", "max:money", "count_distinct:price", "min:day"),
    *("mape:forecast:actual", "wape:forecast:actual", "bias:forecast:actual", "sum:forecast"),
    *("sum:price", "avg:price", "max:price", "min:item"),
)
PREPARE = Prepare(
    {
        "order_0": ("place", "-price"),
        "order_1": ("-made",),
        "order_2": ("-day", "place"),
        "order_3": ("money",),
    },
    {
        "rollup_0": Rollup(("day",), MEASURES),
        "rollup_1": Rollup(("place",), ("count", "sum:forecast")),
    },
)


@pytest.fixture(scope="module")
def both(bench_at, tmp_path_factory):
    """The same Table twice: as it is asked for, and without anything prepared."""
    bench = bench_at(tmp_path_factory.mktemp("prepared"))
    fields = {"keys": ("item", "day"), "time": "day"}
    lineage = Lineage("version", "version", "made")
    prepared = bench.dataset("prepared", **fields, lineage=lineage, prepare=PREPARE)
    plain = bench.dataset("plain", **fields, lineage=lineage)
    loaded = [bench.load(COLUMNS, dataset=each, index_bytes=LARGE) for each in (prepared, plain)]
    return bench, loaded, bench.engine(*loaded)


def test_what_is_prepared_is_known_of_the_table(both):
    _, ((dataset, table), (_, plain)), _ = both
    assert table.orders.keys() == PREPARE.orders.keys()
    assert {name: each.rows for name, each in table.rollups.items()} == {
        "rollup_0": 40,
        "rollup_1": 8,
    }
    assert Table.from_fact(orjson.loads(orjson.dumps(table.as_fact()))).rollups == table.rollups
    # The smallest rollup that tells is taken.
    assert list(dataset.prepare.rollups) == ["rollup_1", "rollup_0"]
    assert table.hash != plain.hash
    assert table.all_bytes > table.bytes + table.index_bytes
    assert table.findings == ()


VALUE = {
    "day": st.sampled_from([*DAYS, date(2025, 1, 1)]),
    "place": st.sampled_from(["north", "south", "", "zz"]),
    "version": st.sampled_from(["v0", "v1", "v2"]),
    "price": st.sampled_from([1.5, 0.0, -1.0, 1e300, inf]),
    "made": st.integers(0, 20).map(lambda n: (MADE + timedelta(minutes=n)).replace(tzinfo=None)),
    "money": st.sampled_from([Decimal("1.00"), Decimal("0.5"), Decimal("1.005"), Decimal(99)]),
}
COMPARED = ("eq", "ne", "gt", "gte", "lt", "lte")


@st.composite
def wheres(draw, names):
    name = draw(st.sampled_from(names))
    operator = draw(st.sampled_from([*COMPARED, "in", "not_in", "isnull"]))
    if operator == "isnull":
        return Where(name, operator, draw(st.booleans()))
    many = operator in {"in", "not_in"}
    return Where(name, operator, draw(st.lists(VALUE[name], max_size=3) if many else VALUE[name]))


@st.composite
def figures(draw):
    conditions = draw(st.lists(wheres(["day", "place", "version"]), max_size=3))
    where = [draw(st.sampled_from([each, AnyOf((each,))])) for each in conditions]
    group_by = draw(st.lists(st.sampled_from(["place", "version", "day"]), unique=True, max_size=2))
    texts = draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=5, unique=True))
    window = draw(st.sampled_from([None, None, "week", "month"]))
    sort = [*group_by, *(["window"] if window else [])]
    return {
        "where": where,
        "group_by": group_by,
        "measures": [Measure(text, *split(text)) for text in texts],
        "window": window,
        "sort": sort,
        "limit": draw(st.none() | st.integers(0, 5)) if sort else None,
    }


def split(text):
    function, *columns = text.split(":")
    return function, tuple(columns)


@settings(max_examples=400, deadline=None)
@given(figures())
def test_figures_of_a_rollup_are_those_of_the_rows(both, question):
    _, ((prepared, _), (plain, _)), engine = both
    told, expected = (engine.run(compile_query(Query(d, **question))) for d in (prepared, plain))
    assert told.columns == expected.columns
    assert len(told) == len(expected)
    for row, other in zip(told.cells, expected.cells, strict=True):
        assert all(map(alike, row, other)), (row, other)
    assert told.more == expected.more


def alike(cell, other):
    if isinstance(cell, float) and isinstance(other, float):
        # A sum of floats may differ in its last digit, as it may from one run to the next.
        return isclose(cell, other, rel_tol=1e-12)
    return type(cell) is type(other) and cell == other


@settings(max_examples=400, deadline=None)
@given(figures())
def test_figures_of_rows_of_a_rollup_are_those_of_the_engine(both, question):
    bench, ((prepared, table), (plain, _)), engine = both
    question = {**question, "group_by": (), "window": None, "sort": (), "limit": None}
    asked = merge(Query(prepared, **question))
    if asked is None:
        return
    index = bench.index(table, asked.rollup.table, table.rollups[asked.rollup.table])
    told = asked.figures(index.read(asked.stretch))
    expected = engine.run(compile_query(Query(plain, **question)))
    assert told.columns == expected.columns
    assert all(map(alike, told.cells[0], expected.cells[0])), (told.cells, expected.cells)
    stamp = engine.run(compile_summary(Query(plain, where=question["where"]))).stamp
    # Of all rows the Table tells the lineage.
    assert told.stamp == (stamp if question["where"] else NO_STAMP)


def test_a_period_is_made_of_the_rows_of_a_rollup(both):
    _, ((prepared, _), _), _ = both
    where = [Where("day", "gte", DAYS[3]), Where("day", "lte", DAYS[9])]
    measures = [Measure(text, *split(text)) for text in ("count", "count_distinct:item")]
    asked = merge(Query(prepared, where=where, measures=measures))
    assert (asked.rollup.table, len(asked.stretch.bounds)) == ("rollup_0", 2)


@settings(max_examples=100, deadline=None)
@given(st.lists(wheres(["day", "place", "version"]), max_size=3))
def test_the_lineage_of_a_rollup_is_that_of_the_rows(both, where):
    _, ((prepared, _), (plain, _)), engine = both
    stamps = [
        engine.run(compile_summary(Query(each, where=where))).stamp for each in (prepared, plain)
    ]
    assert stamps[0] == stamps[1]


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ({"measures": ["count"]}, "rollup_1"),
        ({"measures": ["count"], "group_by": ["place"]}, "rollup_1"),
        ({"measures": ["count"], "where": [Where("version", "eq", "v1")]}, "rollup_1"),
        ({"measures": ["count_distinct:place", "max:version"]}, "rollup_1"),
        ({"measures": ["count_distinct:item"]}, "rollup_0"),
        ({"measures": ["count"], "window": "month"}, "rollup_0"),
        ({"measures": ["wape:forecast:actual"], "group_by": ["day"]}, "rollup_0"),
        ({"measures": ["count"], "group_by": ["item"]}, TABLE),
        ({"measures": ["median:pieces"]}, TABLE),
        ({"measures": ["sum:actual"]}, TABLE),
        ({"measures": ["count"], "group_by": ["place", "day"]}, TABLE),
        ({"measures": ["count"], "where": [Where("made", "gt", MADE)]}, TABLE),
        ({"measures": ["max:made"]}, TABLE),
    ],
)
def test_the_rollup_that_tells_is_taken(both, question, table):
    _, ((prepared, _), _), _ = both
    measures = [Measure(text, *split(text)) for text in question.pop("measures")]
    assert compile_query(Query(prepared, measures=measures, **question)).table == table


SORTS = {
    "order_0": (["place"], ["-price", "item", "day"]),
    "order_1": ([], ["-made", "item", "day"]),
    "order_2": (["day"], ["place", "item"]),
    "order_3": ([], ["money", "item", "day"]),
}
BOUND = {"order_0": "price", "order_1": "made", "order_2": "place", "order_3": "money"}


@st.composite
def pages(draw):
    name = draw(st.sampled_from(sorted(SORTS)))
    equal, rest = SORTS[name]
    where = [Where(column, "eq", draw(VALUE[column])) for column in equal]
    bounds = draw(st.lists(st.sampled_from(["gt", "gte", "lt", "lte"]), max_size=2))
    where += [Where(BOUND[name], bound, draw(VALUE[BOUND[name]])) for bound in bounds]
    backwards = name in {"order_1"} and draw(st.booleans())
    turned = {"-made": "made", "item": "-item", "day": "-day"}
    sort = [turned[each] for each in rest] if backwards else rest
    limit, offset = draw(st.integers(1, 60)), draw(st.integers(0, 3))
    question = {"where": where, "sort": sort, "limit": limit, "offset": offset}
    return name, question, draw(st.booleans())


@settings(max_examples=400, deadline=None)
@given(pages())
def test_rows_in_a_prepared_order_are_those_of_the_engine(both, page):
    bench, ((dataset, table), _), engine = both
    name, question, goes_on = page
    query = Query(dataset, **question)
    index, asked = bench.index(table, name), stretch(query, orders_of(dataset)[name])
    told, expected = index.read(asked), engine.run(compile_query(query))
    assert repr(told.cells) == repr(expected.cells)
    assert (told.columns, told.stamp, told.more) == (
        expected.columns,
        expected.stamp,
        expected.more,
    )
    if not goes_on or not expected.cells:
        return
    last = dict(zip((column.name for column in told.columns), told.cells[-1], strict=True))
    after = [last[column] for column, _ in query.order]
    following = Query(dataset, **question, after=after)
    asked = stretch(following, orders_of(dataset)[name])
    # Nulls and NaN cannot be searched for: the engine goes on.
    assert (asked is None) == any(repr(cell) in {"None", "nan"} for cell in after)
    if asked is not None:
        told, expected = index.read(asked), engine.run(compile_query(following))
        assert repr(told.cells) == repr(expected.cells)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("order_0", {"sort": ["-price", "item", "day"]}),
        ("order_0", {"where": [Where("place", "eq", "north")], "sort": ["price", "-item", "-day"]}),
        ("order_0", {"where": [Where("place", "ne", "north")], "sort": ["-price", "item", "day"]}),
        ("order_0", {"where": [Where("item", "eq", "I-1")], "sort": ["place", "-price", "day"]}),
        ("order_3", {"sort": ["money", "day", "item"]}),
        (KEYS, {"sort": ["money", "item", "day"]}),
    ],
)
def test_another_order_is_left_to_the_engine(both, name, question):
    _, ((dataset, _), _), _ = both
    assert stretch(Query(dataset, **question), orders_of(dataset)[name]) is None


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (Prepare({"order_0": ("plase",)}), "no column 'plase' in the file"),
        (Prepare({}, {"rollup_0": Rollup(("dey",), ("count",))}), "did you mean 'day'?"),
        (Prepare({}, {"rollup_0": Rollup(("day",), ("sum:itam",))}), "did you mean 'item'?"),
        (Prepare({}, {"rollup_0": Rollup(("day",), ("sum:item",))}), "cannot be asked of it"),
        (Prepare({}, {"rollup_0": Rollup(("day",), ("mape:item:actual",))}), "allowed: count_dis"),
        (
            Prepare({}, {"rollup_0": Rollup(("day",), ("mape:actual",))}),
            "names 1 columns and needs 2",
        ),
        (Prepare({}, {"rollup_0": Rollup(("day",), ("sum",))}), "names 0 columns and needs 1"),
        (Prepare({}, {"rollup_0": Rollup(("list",), ("count",))}), "cannot be grouped by"),
        (Prepare({"order_0": ("day", "-day")}), "column 'day' stands twice"),
        (
            Prepare({}, {"rollup_0": Rollup(("day",), ("count:item",))}),
            "names 1 columns and needs 0",
        ),
    ],
)
def test_what_cannot_be_prepared_is_refused(bench, prepare, message):
    dataset = bench.dataset(keys=("item", "day"), prepare=prepare)
    columns = {**COLUMNS, "list": pa.array([[1]] * COUNT)}
    with pytest.raises(TableError, match=r".*") as refused:
        bench.load(columns, dataset=dataset, index_bytes=LARGE)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (Prepare({}, {"rollup_0": Rollup(("item",), ("count",))}), "would have 600 groups"),
        (Prepare({"order_0": ("pair",)}), "none can hold one of its columns"),
    ],
)
def test_what_would_not_help_is_left_out_and_told(bench, prepare, message):
    columns = {"item": range(600), "pair": [[1]] * 600}
    dataset, table = bench.load(
        columns, dataset=bench.dataset(keys=("item",), prepare=prepare), index_bytes=LARGE
    )
    (finding,) = table.findings
    assert (finding["rule"], finding["severity"]) == ("prepare", "warning")
    assert message in finding["message"]
    assert dataset.prepare == Prepare()


def test_what_may_be_declared_is_what_can_be_put_together():
    assert set(MERGED) == MERGINGS.keys()


STRICT = ("item", "day", "actual")


@pytest.mark.parametrize(
    "prepare",
    [
        Prepare({"order_0": ("-forecast",)}),
        Prepare({}, {"rollup_0": Rollup(("day", "forecast"), ("count",))}),
        Prepare({}, {"rollup_0": Rollup(("day",), ("wape:forecast:actual",))}),
    ],
)
def test_what_a_strict_dataset_does_not_serve_is_refused_by_name(bench, prepare):
    columns = tuple(Column(name) for name in STRICT)
    fields = {"keys": ("item", "day"), "strict": True, "columns": columns}
    with pytest.raises(TableError, match="no column 'forecast' is served"):
        bench.load(COLUMNS, dataset=bench.dataset(prepare=prepare, **fields), index_bytes=LARGE)


def loaded(bench, columns, prepare, **fields):
    """A Table with something prepared, and a way to ask it as a Generation would."""
    dataset, table = bench.load(
        columns, dataset=bench.dataset(prepare=prepare, **fields), index_bytes=LARGE
    )
    engine = bench.engine((dataset, table))

    def ask(measures, by=dataset):
        asked = merge(Query(by, measures=[Measure(text, *split(text)) for text in measures]))
        if asked is None:
            return None
        index = bench.index(table, asked.rollup.table, table.rollups[asked.rollup.table])
        return asked.figures(index.read(asked.stretch))

    return dataset, table, engine, ask


def test_nanoseconds_are_left_to_the_engine(bench):
    at = pa.array([0, 510_000_000, 1, 999] * 10, pa.timestamp("ns"))
    columns = {"k": range(40), "g": [1] * 40, "at": at}
    prepare = Prepare({}, {"rollup_0": Rollup(("g",), ("min:at", "max:at", "count"))})
    _, _, _, ask = loaded(bench, columns, prepare)
    assert ask(["min:at"]) is None
    assert ask(["count"]).cells == [(40,)]


def test_a_sum_that_leaves_its_type_is_left_to_the_engine(bench):
    most = Decimal(10) ** 37 * 4
    columns = {"k": range(40), "g": [n // 2 for n in range(40)], "x": [most] * 40}
    columns["x"] = pa.array(columns["x"], pa.decimal128(38, 0))
    prepare = Prepare({}, {"rollup_0": Rollup(("g",), ("sum:x", "count"))})
    _, _, _, ask = loaded(bench, columns, prepare)
    assert ask(["sum:x"]) is None
    assert ask(["count"]).cells == [(40,)]


def test_a_figure_that_no_number_holds_leaves_its_rollup_out(bench):
    columns = {
        "k": range(40),
        "g": [1] * 40,
        "f": pa.array([Decimal(1)] * 40, pa.decimal128(38, 20)),
        "a": pa.array([2**62] * 40),
    }
    measures = [("wape:f:a",), ("count",)]
    prepare = Prepare({}, {f"rollup_{n}": Rollup(("g",), each) for n, each in enumerate(measures)})
    _, table, _, ask = loaded(bench, columns, prepare)
    assert list(table.rollups) == ["rollup_1"]
    assert "no number can hold" in table.findings[0]["message"]
    assert ask(["count"]).cells == [(40,)]


def test_a_set_that_is_too_large_leaves_its_rollup_out(bench):
    count = 80_000
    columns = {"k": range(count), "g": [n % 1000 for n in range(count)]}
    prepare = Prepare({}, {"rollup_0": Rollup(("g",), ("count_distinct:k",))})
    _, table, _, _ = loaded(bench, columns, prepare)
    assert table.rollups == {}
    assert "its sets of values would take" in table.findings[0]["message"]


def test_a_renamed_dataset_that_hides_a_group_is_left_to_the_engine(bench):
    columns = {"sku": range(40), "item": [1] * 40, "x": [2] * 40}
    prepare = Prepare({}, {"rollup_0": Rollup(("item",), ("sum:x",))})
    dataset, _, engine, ask = loaded(bench, columns, prepare, keys=("sku",))
    hidden = dataset.renamed({"item": "sku"})
    assert ask(["sum:x"], hidden) is None
    query = Query(hidden, measures=(Measure("n", "sum", ("x",)),))
    assert engine.run(compile_query(query)).cells == [(80,)]


@pytest.mark.parametrize("index_bytes", [0, LARGE])
def test_nothing_is_told_of_what_a_dry_run_or_an_empty_table_has_not(bench, index_bytes):
    count = 0 if index_bytes else 40
    columns = {"k": pa.array(range(count), pa.int64()), "x": pa.array(range(count), pa.int64())}
    prepared = bench.dataset(prepare=Prepare({"order_0": ("-x",)}))
    _, table = bench.load(columns, dataset=prepared, index_bytes=index_bytes)
    assert table.findings == ()


def test_a_negative_nought_stays_one(bench):
    columns = {"k": range(6), "p": [0.0, -0.0, 1.0, -1.0, 0.0, -0.0]}
    prepared = bench.dataset(prepare=Prepare({"order_0": ("-p",)}))
    dataset, table = bench.load(columns, dataset=prepared, index_bytes=LARGE)
    query = Query(dataset, sort=("-p", "k"), limit=5)
    asked = stretch(query, orders_of(dataset)["order_0"])
    # The engine before DuckDB 2 makes 0.0 of it where it sorts by it, which is the same number.
    told = bench.index(table, "order_0").read(asked).cells
    assert repr(told) == "[(2, 1.0), (0, 0.0), (1, -0.0), (4, 0.0), (5, -0.0)]"


@pytest.mark.parametrize("question", [{"offset": 1}, {"sort": ("count",)}, {"limit": 0}])
def test_a_page_of_figures_is_left_to_the_engine(both, question):
    _, ((prepared, _), _), _ = both
    assert merge(Query(prepared, measures=(Measure("count", "count"),), **question)) is None


def test_a_part_is_never_called_like_a_column(bench):
    columns = {"k": range(40), "PART_0": [1] * 40, "part_1": [2] * 40}
    rollup = Rollup(("PART_0",), ("count", "sum:part_1"))
    prepare = Prepare({}, {"rollup_0": rollup})
    loaded = bench.load(columns, dataset=bench.dataset(prepare=prepare))
    query = Query(loaded[0], measures=(Measure("n", "sum", ("part_1",)),))
    assert compile_query(query).table == "rollup_0"
    assert bench.engine(loaded).run(compile_query(query)).cells == [(80,)]
