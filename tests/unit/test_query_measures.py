"""Measures are what plain Python makes of the same values, for every type that has them."""

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from math import inf, isfinite, nan
from random import Random
from statistics import median, stdev

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.query import Measure, Query, Where, compile_query, functions_of

CHANCE = Random(7)
ROWS = 40
INTEGERS = {f"{kind}{bits}": bits for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
DECIMALS = {"money": pa.decimal128(18, 2), "wide": pa.decimal128(38, 10)}
FLOATS = [0.0, -0.0, nan, inf, -inf, 0.1, -2.5, 5e-324]
MOMENTS = ("0001-01-01", *["2026-01-02 03:04:05.000006"] * 36, "9999-12-31 23:59:59.999999")
NUMERIC = (*INTEGERS, *DECIMALS, "float32", "float64")


def filled(*cells, more=lambda: None):
    """Cells that matter and two nulls, completed by chance."""
    return [None, None, *cells, *(more() for _ in range(ROWS - 2 - len(cells)))]


def integers(name, bits):
    low, high = (0, 2**bits - 1) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    cells = filled(low, high, high, 0, 1, more=lambda: CHANCE.randint(low, high))
    return pa.array(cells, getattr(pa, name)())


def decimals(kind):
    # One digit less than it holds: some of them still fit what the engine sums them in.
    most = 10 ** (kind.precision - 1)
    shifts = (Decimal(0), Decimal(1).scaleb(-kind.scale), Decimal(most - 1).scaleb(-kind.scale))
    cells = (Decimal(CHANCE.randint(-most, most)).scaleb(-kind.scale) for _ in range(ROWS))
    return pa.array(filled(*shifts, more=lambda: next(cells)), kind)


COLUMNS = {
    **{name: integers(name, bits) for name, bits in INTEGERS.items()},
    **{name: decimals(kind) for name, kind in DECIMALS.items()},
    "float32": pa.array(filled(*FLOATS, 3e38, 3e38, more=CHANCE.random), pa.float32()),
    "float64": pa.array(
        filled(*FLOATS, 1e200, -1e200, 1.7e308, 1.7e308, -1.7e308, more=CHANCE.random)
    ),
    "string": filled("", "a", "A", "\x00", "\U0001f600", "\uffff", "é", more=lambda: "b"),
    "boolean": filled(*[True, False] * 19),
    "date": filled(date.min, date.max, more=lambda: date(2026, 1, CHANCE.randint(1, 31))),
    "time": filled(time.min, time.max, more=lambda: time(CHANCE.randint(0, 23))),
    "timestamp": pa.array(
        filled(*(datetime.fromisoformat(each) for each in MOMENTS)), pa.timestamp("us")
    ),
}
CELLS = {name: pa.array(cells).to_pylist() for name, cells in COLUMNS.items()}
FORECASTS = pa.array([float(CHANCE.randint(-100, 100)) for _ in range(ROWS)])
PICKED = st.lists(st.integers(0, ROWS - 1), unique=True, max_size=8)


@pytest.fixture(scope="module")
def figures(bench_at, tmp_path_factory):
    """Gives every figure of a column over some rows, and the cells there that are known."""
    bench = bench_at(tmp_path_factory.mktemp("measures"))
    loaded = bench.load({"k": range(ROWS), **COLUMNS})
    engine = bench.engine(loaded)

    def ask(name, picked):
        functions = functions_of(loaded[0].column(name))
        measures = [Measure(function, function, (name,)) for function in functions]
        where = [Where("k", "in", picked)]
        found = engine.run(compile_query(Query(loaded[0], where=where, measures=measures)))
        cells = [CELLS[name][each] for each in picked]
        # NaN is not even equal to itself.
        return found.first(), [cell for cell in cells if cell is not None and cell == cell]  # noqa: PLR0124

    return ask


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(list(COLUMNS)), picked=PICKED)
def test_counts_and_extremes_are_those_of_the_values(figures, name, picked):
    found, cells = figures(name, picked)
    extremes = [min(cells, default=None), max(cells, default=None)]
    assert found["count_distinct"] == len(set(cells))
    assert [found["min"], found["max"]] == [
        None if each in {inf, -inf} else each for each in extremes
    ]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from([*INTEGERS, *DECIMALS]), picked=PICKED)
def test_sums_are_exact_and_keep_their_kind(figures, name, picked):
    found, cells = figures(name, picked)
    if not cells:
        assert found["sum"] is None
        return
    # Python's own sum of decimals is rounded.
    assert Fraction(found["sum"]) == sum(map(Fraction, cells))
    assert not isinstance(found["sum"], float)
    if name in DECIMALS:
        assert found["sum"].as_tuple().exponent == -DECIMALS[name].scale


def near(figure, exact, size):
    """Tell whether it is the exact figure but for the last digits of the numbers it is made of."""
    return abs(Fraction(figure) - exact) <= Fraction(size) / 10**9 + Fraction(5e-324)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(NUMERIC), picked=PICKED)
def test_averages_are_near_the_exact_ones(figures, name, picked):
    found, cells = figures(name, picked)
    if not cells:
        assert (found["avg"], found["median"]) == (None, None)
    elif all(map(isfinite, cells)):
        exact = [Fraction(each) for each in cells]
        size = max(map(abs, exact))
        assert near(found["median"], median(exact), size)
        # What the engine adds up on the way may be beyond all numbers.
        beyond = sum(map(abs, exact)) > 1.7e308
        assert (beyond and found["avg"] is None) or near(
            found["avg"], sum(exact) / len(exact), size
        )


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(NUMERIC), picked=PICKED)
def test_spread_is_near_the_exact_one_or_null_where_squares_are_no_numbers(figures, name, picked):
    found, cells = figures(name, picked)
    if len(cells) < 2 or max(map(abs, cells)) >= 1e150:
        assert found["stddev"] is None
    else:
        exact = [Fraction(each) for each in cells]
        assert near(found["stddev"], Fraction(stdev(exact)), max(map(abs, exact)))


@pytest.fixture(scope="module")
def errors(bench_at, tmp_path_factory):
    """Gives the errors of forecasts by what is known of their column, and without."""
    bench = bench_at(tmp_path_factory.mktemp("errors"))
    kinds = {"float64": pa.float64(), "int8": pa.int8(), "decimal": pa.decimal128(9, 2)}
    forecasts = {name: FORECASTS.cast(kind) for name, kind in kinds.items()}
    actuals = {"actual": COLUMNS["float64"]}
    dataset, table = bench.load({"k": range(ROWS), **forecasts, **actuals})
    unknown = replace(dataset, columns=tuple(replace(each, full=False) for each in dataset.columns))
    engine = bench.engine((dataset, table))

    def ask(pair, picked):
        measures = [Measure(name, name, pair) for name in ("mape", "wape", "bias")]
        where = [Where("k", "in", picked)]
        asked = [
            compile_query(Query(each, where=where, measures=measures))
            for each in (dataset, unknown)
        ]
        assert ["IS NULL" in each.sql for each in asked] == [pair[0] == "actual", True]
        return [engine.run(each).cells for each in asked]

    return ask


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(["float64", "int8", "decimal", "actual"]), picked=PICKED)
def test_errors_are_the_same_where_it_is_known_that_all_forecasts_are(errors, name, picked):
    pair = (name, "int8" if name == "actual" else "actual")
    known, unknown = errors(pair, picked)
    assert known == unknown


@pytest.mark.parametrize("function", ["sum", "avg", "stddev", "min", "max"])
def test_a_figure_that_is_no_finite_number_is_null_and_comes_last(bench, function):
    cells = {"k": [1, 2, 3, 4], "g": ["a", "a", "b", "b"], "x": [inf, -inf, 1.0, 2.0]}
    for sort in ("f", "-f"):
        measures = [Measure("f", function, ("x",))]
        rows = bench.ask(cells, group_by=["g"], measures=measures, sort=[sort])
        assert [row["g"] for row in rows] == ["b", "a"]
        assert rows.cells[-1][1] is None


def test_figures_know_the_types_that_the_engine_gives(bench):
    columns = {"k": [1], "n": pa.array([1], pa.uint64()), "d": pa.array([Decimal("1.50")])}
    asked = [("n", "sum"), ("n", "max"), ("d", "sum"), ("d", "median"), ("d", "avg")]
    measures = [Measure(f"{function}_{name}", function, (name,)) for name, function in asked]
    rows = bench.ask(columns, measures=measures)
    physical = ["HUGEINT", "UBIGINT", "DECIMAL(38,2)", "DOUBLE", "DOUBLE"]
    assert [column.physical for column in rows.columns] == physical


def test_the_newest_nanosecond_keeps_its_digits(bench):
    moments = pa.array([1, 1_700_000_000_123_456_789], pa.timestamp("ns"))
    rows = bench.ask({"k": [1, 2], "t": moments}, measures=[Measure("f", "max", ("t",))])
    assert rows.cells == [("2023-11-14T22:13:20.123456789Z",)]
