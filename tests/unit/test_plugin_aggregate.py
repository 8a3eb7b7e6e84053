"""The plugin ``aggregate``, called without HTTP on a real Table."""

from datetime import date
from decimal import Decimal
from math import nan

import pyarrow as pa
import pytest

from app.plugin import Call, InvalidParameterError, Where
from app.query import compile_query
from plugins.aggregate import endpoints

SALES = {
    "k": range(6),
    "day": pa.array([date(2026, 1, day) for day in (1, 2, 5, 11, 12)] + [None], pa.date32()),
    "shop": ["x", "y", "x", "y", None, "x"],
    "sold": pa.array([2**62, 2**62, 2**62, 1, None, 3], pa.int64()),
    "weight": [0.5, nan, None, 1.5, 2.0, 3.0],
    "price": pa.array([Decimal(n) / 4 for n in range(6)], pa.decimal128(9, 2)),
    "tags": [["a"], [], None, ["b"], ["c"], ["d"]],
    "count": ["one"] * 6,
}


@pytest.fixture(scope="module")
def sales(bench_at, tmp_path_factory):
    """The dataset of sales and what runs Queries on it."""
    bench = bench_at(tmp_path_factory.mktemp("aggregate"))
    loaded = bench.load(SALES, dataset=bench.dataset(time="day"))
    engine = bench.engine(loaded)
    return loaded[0], lambda query: engine.run(compile_query(query))


@pytest.fixture
def figures(sales):
    """Uses the endpoint; gives the records."""
    dataset, run = sales
    (endpoint,) = endpoints(dataset)

    def use(where=(), **values):
        defaults = {each.name: each.default for each in endpoint.parameters}
        made = Call(dataset, {**defaults, **values}, {}, run, where)
        return list(endpoint.answer(made)["data"])

    return use


def parameter(dataset, name):
    return next(each for each in endpoints(dataset)[0].parameters if each.name == name)


def test_nothing_asked_counts_all_rows(figures):
    assert figures() == [{"count": 6}]


def test_groups_come_in_their_own_order_with_null_last(figures):
    assert figures(group_by=["shop"]) == [
        {"shop": "x", "count": 3},
        {"shop": "y", "count": 2},
        {"shop": None, "count": 1},
    ]


def test_sums_of_integers_are_exact_and_of_decimals_keep_their_scale(figures):
    (total,) = figures(measures=["sum:sold", "sum:price"])
    assert total == {"sum_sold": 3 * 2**62 + 4, "sum_price": Decimal("3.75")}


def test_nan_is_one_group_with_null_and_in_no_figure(figures):
    groups = figures(group_by=["weight"], measures=["count", "sum:weight"], sort=["-weight"])
    assert groups[-1] == {"weight": None, "count": 2, "sum_weight": None}
    assert len(groups) == 5


def test_a_window_comes_first_and_is_told_by_its_first_day(figures):
    weeks = figures(window="week", group_by=["shop"])
    assert [(each["window"], each["shop"]) for each in weeks] == [
        (date(2025, 12, 29), "x"),
        (date(2025, 12, 29), "y"),
        (date(2026, 1, 5), "x"),
        (date(2026, 1, 5), "y"),
        (date(2026, 1, 12), None),
        (None, "x"),
    ]


def test_a_sort_by_a_figure_is_completed_by_the_groups(figures):
    shops = figures(group_by=["shop"], measures=["max:weight"], sort=["-max_weight"])
    assert [each["shop"] for each in shops] == ["x", None, "y"]
    again = figures(group_by=["day", "shop"], sort=["-count", "-shop"])
    assert [each["shop"] for each in again] == ["y", "y", "x", "x", "x", None]


def test_filters_hold_before_anything_is_counted(figures):
    assert figures([Where("shop", "eq", "x")], measures=["count_distinct:day"]) == [
        {"count_distinct_day": 2}
    ]


def test_no_row_that_fits_is_one_record_in_all_and_no_group(figures):
    none = [Where("shop", "eq", "nobody")]
    assert figures(none, measures=["count", "avg:weight"]) == [{"count": 0, "avg_weight": None}]
    assert figures(none, group_by=["shop"]) == []


@pytest.mark.parametrize(
    ("asked", "wrong", "message"),
    [
        ({"measures": ["count", "count"]}, "measures", "'count' is answered twice"),
        ({"group_by": ["shop", "shop"]}, "group_by", "'shop' is answered twice"),
        ({"group_by": ["count"]}, "measures", "by 'group_by' and by 'measures'"),
        ({"sort": ["sum_sold"]}, "sort", "'sum_sold' is not answered; allowed is count"),
        ({"sort": ["-cuont"]}, "sort", "did you mean 'count'?"),
        ({"sort": ["window"]}, "sort", "'window' is not answered"),
    ],
)
def test_names_that_do_not_fit_each_other_are_refused(figures, asked, wrong, message):
    with pytest.raises(InvalidParameterError) as refused:
        figures(**asked)
    (error,) = refused.value.facts["errors"]
    assert error["parameter"] == wrong
    assert message in error["message"]
    assert refused.value.detail == f"{wrong}: {error['message']}."


def test_what_can_be_asked_depends_on_the_columns(sales):
    dataset, _ = sales
    measures = parameter(dataset, "measures").choices
    assert "tags" not in parameter(dataset, "group_by").choices
    assert {"count", "median:sold", "stddev:price", "max:shop"} < set(measures)
    assert not {"sum:shop", "sum:day", "min:tags"} & set(measures)


def test_a_window_is_offered_where_there_is_a_time(bench):
    names = [each.name for each in endpoints(bench.dataset())[0].parameters]
    assert "window" not in names


def test_what_a_record_may_hold_is_documented_as_far_as_it_is_certain(sales):
    members = endpoints(sales[0])[0].returns["data"].members
    assert {"shop", "day", "window"} <= members.keys()
    # Here it may be the column or the figure.
    assert "count" not in members
