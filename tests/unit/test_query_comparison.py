"""Comparisons: two sides of real Tables by key, on whichever DuckDB line is first on the path."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from math import isfinite, isnan
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import DuckEngine, Queue, compare_engines
from app.query import Comparison, Query, Where, compare

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def versions(bench):
    """Loads columns by key ``k`` under two versions; gives what the Comparison found."""

    def compared(a, b, columns=("x",), keys=("k",), **more):
        dataset = bench.dataset(keys=(*keys, "v"))
        columns_of = {name: [*a[name], *b[name]] for name in a} | {
            "v": ["a"] * len(a["x"]) + ["b"] * len(b["x"])
        }
        for name, values in columns_of.items():
            if isinstance(values[0], pa.Scalar):
                columns_of[name] = pa.array([each.as_py() for each in values], values[0].type)
        loaded = bench.load(columns_of, dataset=dataset)
        sides = (Query(loaded[0], where=[Where("v", "eq", side)]) for side in ("a", "b"))
        return compare(Comparison(*sides, keys, columns, **more), bench.engine(loaded).run)

    return compared


@pytest.fixture
def tables(bench):
    """Loads two Tables of one dataset; gives what comparing them found."""

    def compared(a, b, keys=("k",), columns=("x",), **more):
        dataset = bench.dataset(keys=keys)
        (old, old_table), (new, new_table) = (bench.load(each, dataset=dataset) for each in (a, b))
        engines = bench.engine((old, old_table)), bench.engine((new, new_table))
        asked = Comparison(Query(old), Query(new), keys, columns, **more)
        return compare_engines(asked, engines)

    return compared


def counts(found):
    return (found.only_a, found.only_b, found.different, found.same)


def test_keys_are_counted_where_they_are(versions):
    found = versions({"k": [1, 2, 3], "x": [1, 2, 3]}, {"k": [2, 3, 4, 5], "x": [2, 30, 4, 5]})
    assert counts(found) == (1, 2, 1, 1)
    assert found.rows == [
        ({"k": 1}, {"x": 1}, None),
        ({"k": 3}, {"x": 3}, {"x": 30}),
        ({"k": 4}, None, {"x": 4}),
        ({"k": 5}, None, {"x": 5}),
    ]


def test_two_tables_are_compared_as_two_versions_are(tables):
    found = tables({"k": [1, 2], "x": [1.0, 2.0]}, {"k": [2, 3], "x": [2.5, 3.0]})
    assert counts(found) == (1, 1, 1, 0)
    assert (found.columns["x"].mean, found.columns["x"].most) == (0.5, 0.5)


def test_a_mean_has_a_sign_and_the_greatest_distance_has_none(versions):
    a, b = {"k": [1, 2, 3], "x": [1, 5, None]}, {"k": [1, 2, 3], "x": [2, 1, 9]}
    difference = versions(a, b).columns["x"]
    assert (difference.different, difference.mean, difference.most) == (3, -1.5, 4)


def test_nan_is_equal_to_null_and_to_nan(versions):
    a = {"k": [1, 2, 3, 4], "x": [NAN, NAN, None, NAN]}
    found = versions(a, {"k": [1, 2, 3, 4], "x": [NAN, None, NAN, 1.0]})
    assert counts(found) == (0, 0, 1, 3)
    assert found.rows == [({"k": 4}, {"x": None}, {"x": 1.0})]
    assert found.columns["x"].mean is None


def test_infinity_is_a_value_but_no_distance(versions):
    a = {"k": [1, 2, 3], "x": [INF, INF, 1.0]}
    found = versions(a, {"k": [1, 2, 3], "x": [INF, 1.0, 2.0]})
    assert counts(found) == (0, 0, 2, 1)
    assert (found.columns["x"].mean, found.columns["x"].most) == (1.0, 1.0)


def test_extreme_integers_have_an_exact_distance(versions):
    wide = pa.scalar(2**64 - 1, pa.uint64())
    found = versions({"k": [1], "x": [pa.scalar(0, pa.uint64())]}, {"k": [1], "x": [wide]})
    assert found.columns["x"].most == 2**64 - 1


def test_decimals_differ_with_their_full_scale(versions):
    one, two = (pa.scalar(Decimal(text), pa.decimal128(38, 10)) for text in ("1.1", "1.3"))
    found = versions({"k": [1], "x": [one]}, {"k": [1], "x": [two]})
    assert found.columns["x"].most == Decimal("0.2000000000")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "b"),
        (True, False),
        (date(1, 1, 1), date(9999, 12, 31)),
        (datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 - naive on purpose
        (b"\xff", b"\x00"),
        ([1, None], [1, 2]),
        ({"f": 1}, {"f": None}),
        tuple(pa.scalar([("k", n)], pa.map_(pa.string(), pa.int32())) for n in (1, 2)),
        (pa.scalar(1, pa.timestamp("ns")), pa.scalar(2, pa.timestamp("ns"))),
    ],
)
def test_a_value_of_any_type_differs_from_others_only(versions, one, other):
    found = versions({"k": [1, 2], "x": [one, one]}, {"k": [1, 2], "x": [one, other]})
    assert counts(found) == (0, 0, 1, 1)
    assert (found.columns["x"].mean, found.columns["x"].most) == (None, None)


ODD = ("a b", 'a"b', "a\nb", "select", "a__b", "here", "k0", "a", "limit", "é")


@pytest.mark.parametrize("name", ODD)
def test_a_column_and_a_key_may_have_any_name(tables, name):
    before = {name: [1, 2], "x": [1, 2], f"{name}'": ["u", "v"]}
    found = tables(before, {**before, "x": [1, 3]}, (name, f"{name}'"))
    assert found.rows == [({name: 2, f"{name}'": "v"}, {"x": 2}, {"x": 3})]
    assert counts(tables({"k": [1], name: [1]}, {"k": [1], name: [2]}, columns=(name,)))[2] == 1


def test_rows_of_several_keys_come_in_their_order_page_by_page(tables):
    a = {"k": [2, 1, 1], "l": ["x", "y", "x"], "x": [0, 0, 0]}
    asked = {"a": a, "b": {**a, "x": [1, 1, 1]}, "keys": ("k", "l"), "limit": 2}
    first, second = tables(**asked), tables(**asked, offset=2)
    pages = [list(keys.values()) for page in (first, second) for keys, _, _ in page.rows]
    assert pages == [[1, "x"], [1, "y"], [2, "x"]]
    assert (first.more, second.more) == (True, False)


def test_without_a_limit_there_are_counts_alone(tables):
    found = tables({"k": [1], "x": [1]}, {"k": [1], "x": [2]}, limit=0)
    assert (found.different, found.rows, found.more) == (1, [], False)


def test_two_rows_without_a_key_belong_together(versions):
    found = versions({"x": [1]}, {"x": [2]}, keys=())
    assert (counts(found), found.rows) == ((0, 0, 1, 0), [({}, {"x": 1}, {"x": 2})])


def test_nothing_to_compare_differs_in_nothing(tables):
    same = {"k": [1, 2], "x": [1, 1]}
    assert counts(tables(same, {"k": [1], "x": [5]}, columns=())) == (1, 0, 0, 1)


def test_an_empty_side_has_no_keys(tables):
    empty = {"k": pa.array([], pa.int64()), "x": pa.array([], pa.int64())}
    assert counts(tables(empty, {"k": [1], "x": [1]})) == (0, 1, 0, 0)


def test_a_condition_of_a_side_may_hold_a_list(bench):
    loaded = bench.load({"k": [1, 2, 3], "x": [1, 1, 1]})
    a, b = (Query(loaded[0], where=[Where("k", "in", keys)]) for keys in ([1, 2], [2, 3]))
    found = compare(Comparison(a, b, ("k",), ("x",)), bench.engine(loaded).run)
    assert counts(found) == (1, 1, 0, 1)


SIDE = st.dictionaries(
    st.integers(0, 12), st.sampled_from([None, NAN, 0.0, -0.0, 1.5, -2.0, INF]), max_size=12
)


@settings(max_examples=30, deadline=None)
@given(a=SIDE, b=SIDE)
def test_a_comparison_finds_what_plain_python_finds(bench_at, a, b):
    known = [{k: None if x is None or isnan(x) else x for k, x in side.items()} for side in (a, b)]
    one, other = known
    both = sorted(one.keys() & other.keys())
    wrong = [k for k in both if one[k] != other[k]]
    distances = [other[k] - one[k] for k in both if None not in (one[k], other[k])]
    distances = [each for each in distances if isfinite(each)]
    shown = sorted({*wrong, *(one.keys() ^ other.keys())})
    with TemporaryDirectory() as folder:
        bench = bench_at(Path(folder))
        found = compare_engines(*between(bench, a, b))
    assert counts(found) == (
        len(one) - len(both),
        len(other) - len(both),
        len(wrong),
        len(both) - len(wrong),
    )
    assert found.columns["x"].most == (max(map(abs, distances)) if distances else None)
    assert found.columns["x"].mean == (pytest.approx(fmean(distances)) if distances else None)
    assert found.rows == [
        ({"k": k}, *({"x": side[k]} if k in side else None for side in known)) for k in shown
    ]


def between(bench, a, b):
    """Loads two sides as Tables; gives the Comparison and its engines."""
    loaded = [
        bench.load({"k": pa.array(side, pa.int64()), "x": pa.array(side.values(), pa.float64())})
        for side in (a, b)
    ]
    asked = Comparison(*(Query(each[0]) for each in loaded), ("k",), ("x",))
    return asked, tuple(map(bench.engine, loaded))


def test_a_comparison_beyond_its_memory_spills_and_leaves_nothing_behind(bench):
    rows = 400_000
    keys = pa.array(range(rows))
    texts = pc.binary_join_element_wise(keys.cast("string"), "x" * 40, "-")
    loaded = [bench.load({"k": keys, "x": each}) for each in (texts, pc.utf8_upper(texts))]
    # Half of it is left for the comparison.
    small = replace(bench.limits, memory_bytes=80 << 20)
    small.spill.mkdir()
    engines = []
    for dataset, table in loaded:
        files = {dataset.name: bench.folder / f"{table.hash}.duckdb"}
        engines.append(DuckEngine(files, small, Queue(running=1, waiting=0)))
    asked = Comparison(*(Query(each[0]) for each in loaded), ("k",), ("x",))
    assert counts(compare_engines(asked, tuple(engines))) == (0, 0, rows, 0)
    assert list(small.spill.iterdir()) == []
