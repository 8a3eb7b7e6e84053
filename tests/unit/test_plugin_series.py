"""The plugin ``series``, called without HTTP on real Tables."""

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from app.plugin import Call, InvalidParameterError, Where
from app.query import compile_query
from plugins.series import endpoints

DAYS = [date(2026, 1, day) for day in (2, 2, 5, 11, 14)]
SALES = {
    "k": range(6),
    "day": pa.array([*DAYS, None], pa.date32()),
    "shop": ["x", "y", "x", "y", "x", "x"],
    "sold": pa.array([2, 3, None, 5, 7, 11], pa.int64()),
    "price": pa.array([Decimal(n) / 4 for n in range(6)], pa.decimal128(9, 2)),
}
VISITS = {
    "k": range(3),
    "at": pa.array(
        [datetime.fromisoformat(f"2026-01-0{day}T12:00:00.5") for day in (1, 1, 3)],
        pa.timestamp("us"),
    ),
    "guests": [1.0, 2.0, 4.0],
}


@pytest.fixture(scope="module")
def tables(bench_at, tmp_path_factory):
    """The datasets by name, and what runs Queries on them."""
    bench = bench_at(tmp_path_factory.mktemp("series"))
    nano = {**VISITS, "at": VISITS["at"].cast(pa.timestamp("ns"))}
    named = {"sales": (SALES, "day"), "visits": (VISITS, "at"), "nano": (nano, "at")}
    loaded = [
        bench.load(columns, dataset=bench.dataset(name, time=moment))
        for name, (columns, moment) in named.items()
    ]
    engine = bench.engine(*loaded)
    return {each.name: each for each, _ in loaded}, lambda query: engine.run(compile_query(query))


@pytest.fixture
def series(tables):
    """Uses the endpoint of a dataset; gives the body."""

    def use(*value, of="sales", where=(), **values):
        datasets, run = tables
        (endpoint,) = endpoints(datasets[of])
        values = {**values, "from": values.pop("start", None), "value": value}
        defaults = {each.name: each.default for each in endpoint.parameters}
        return endpoint.answer(Call(datasets[of], {**defaults, **values}, {}, run, where))

    return use


def test_rows_of_one_time_are_put_together_and_none_without_a_time(series):
    assert series("sold", "avg:sold", "count") == {
        "time": list(dict.fromkeys(DAYS)),
        "values": {
            "sold": [5, None, 5, 7],
            "avg_sold": [2.5, None, 5.0, 7.0],
            "count": [2, 1, 1, 1],
        },
    }


def test_a_series_has_its_start_and_not_its_end(series):
    found = series("sold", start=date(2026, 1, 5), until=date(2026, 1, 14))
    assert found["time"] == [date(2026, 1, 5), date(2026, 1, 11)]
    assert series("sold", start=DAYS[0], until=DAYS[0])["time"] == []


def test_filters_hold_before_anything_is_put_together(series):
    found = series("sold", where=[Where("shop", "eq", "y")])
    assert found["values"]["sold"] == [3, 5]


def test_a_window_stands_at_its_first_day_also_before_the_start(series):
    found = series("sold", window="week", start=date(2026, 1, 5))
    assert found["time"] == [date(2026, 1, 5), date(2026, 1, 12)]
    assert series("sold", window="year", start=date(2026, 1, 6))["time"] == [date(2026, 1, 1)]


@pytest.mark.parametrize(
    ("fill", "sold"),
    [
        ("null", [5, None, None, None]),
        ("zero", [5, 0, 0, 0]),
        ("previous", [5, 5, 5, 5]),
    ],
)
def test_every_day_is_there_and_filled_if_asked(series, fill, sold):
    found = series("sold", fill=fill, until=date(2026, 1, 6))
    assert found["values"]["sold"] == sold
    # The last day found has a row, without a value.
    assert found["time"] == [date(2026, 1, day) for day in (2, 3, 4, 5)]


def test_the_grid_reaches_as_far_as_it_is_asked_and_starts_without_a_value(series):
    asked = {"window": "month", "start": date(2025, 11, 30), "until": date(2026, 3, 1)}
    found = series("sold", "price", fill="previous", **asked)
    assert [each.month for each in found["time"]] == [11, 12, 1, 2]
    assert found["values"]["sold"] == [None, None, 17, 17]


def test_a_zero_has_the_scale_of_its_decimals(series):
    prices = series("price", fill="zero", until=date(2026, 1, 4))["values"]["price"]
    assert [format(each, "f") for each in prices] == ["0.25", "0.00"]


def test_nothing_found_is_filled_between_both_ends_only(series):
    nothing = [Where("shop", "eq", "nobody")]
    assert series("sold", where=nothing, fill="zero", start=DAYS[0])["time"] == []
    assert series("sold", where=nothing, fill="zero")["values"] == {"sold": []}
    ends = {"start": date(2026, 1, 1), "until": date(2026, 1, 3)}
    assert series("sold", where=nothing, fill="zero", **ends)["values"] == {"sold": [0, 0]}


@pytest.mark.parametrize("of", ["visits", "nano"])
def test_moments_are_put_together_by_day_where_a_window_is_asked(series, of):
    asked = {"until": datetime(2026, 1, 5), "fill": "zero"}  # noqa: DTZ001
    found = series("guests", of=of, window="day", **asked)
    assert found["time"] == [date(2026, 1, day) for day in (1, 2, 3, 4)]
    assert found["values"]["guests"] == [3.0, 0, 4.0, 0]
    plain = series("guests", of=of)["time"]
    assert [str(each)[:10] for each in plain] == ["2026-01-01", "2026-01-03"]


def test_few_points_keep_the_first_and_the_last(series):
    found = series("sold", "price", points=3)
    assert found["time"] == [DAYS[0], date(2026, 1, 11), DAYS[-1]]
    assert len(found["values"]["price"]) == 3
    assert series("guests", of="nano", points=3)["values"]["guests"] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("of", "asked", "wrong", "message"),
    [
        ("sales", {"value": ["sold", "sold"]}, "value", "'sold' is asked twice"),
        ("visits", {"fill": "zero"}, "fill", "need a window"),
        ("sales", {"start": date(2026, 1, 2), "until": date(2026, 1, 1)}, "until", "starts at"),
        ("sales", {"fill": "zero", "start": date(1700, 1, 1)}, "window", "more than 100000"),
        (
            "sales",
            {"fill": "zero", "start": date.min, "points": 9},
            "window",
            "more than 250000",
        ),
    ],
)
def test_parameters_that_do_not_fit_each_other_are_refused(series, of, asked, wrong, message):
    value = asked.pop("value", ["count"])
    with pytest.raises(InvalidParameterError) as refused:
        series(*value, of=of, **asked)
    (error,) = refused.value.facts["errors"]
    assert error["parameter"] == wrong
    assert message in error["message"]


def test_more_points_than_a_body_should_hold_are_refused(bench):
    loaded = bench.load(
        {"k": range(100_001), "t": pa.array(range(100_001), pa.timestamp("us"))},
        dataset=bench.dataset(time="t"),
    )
    engine = bench.engine(loaded)
    asked = dict.fromkeys(("from", "until", "window", "fill", "points"))
    call = Call(
        loaded[0], {**asked, "value": ["count"]}, {}, lambda q: engine.run(compile_query(q))
    )
    answer = endpoints(loaded[0])[0].answer
    with pytest.raises(InvalidParameterError, match="a coarser 'window', fewer times, or 'points'"):
        answer(call)
    call.values = {**call.values, "points": 100}
    assert len(answer(call)["time"]) == 100


def test_only_numbers_can_be_drawn_and_only_over_time(tables, bench):
    (endpoint,) = endpoints(tables[0]["sales"])
    choices = set(endpoint.parameters[0].choices)
    assert {"sold", "count", "max:price", "count_distinct:shop"} < choices
    assert not {"shop", "max:shop", "min:day"} & choices
    assert endpoints(bench.dataset()) == []
