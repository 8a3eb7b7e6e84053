"""The shipped plugins, called without HTTP on real Tables."""

from datetime import date

import pytest

from app.discovery import Plugins
from app.plugin import PERIOD, Call, InvalidParameterError, NotFoundError
from app.query import compile_query
from app.registry import read_registry
from tests.conftest import (
    FIRST_DAY,
    REGISTRY,
    ROOT,
    forecast_columns,
    inventory_columns,
    item_columns,
)

WHOLE = {"start": FIRST_DAY, "end": date(2026, 1, 31)}


@pytest.fixture(scope="module")
def service(bench_at, tmp_path_factory):
    """The registry's datasets with their tables, and what runs Queries on them."""
    bench = bench_at(tmp_path_factory.mktemp("plugins"))
    path = bench.folder / "datasets.yaml"
    path.write_text(REGISTRY)
    columns = (item_columns(), forecast_columns(), inventory_columns())
    declared = read_registry(path).served.values()
    loaded = [bench.load(each, dataset=d) for each, d in zip(columns, declared, strict=True)]
    engine = bench.engine(*loaded)
    datasets = {dataset.name: dataset for dataset, _ in loaded}
    return datasets, lambda query: engine.run(compile_query(query))


@pytest.fixture
def call(service):
    """Uses an endpoint by its name, with or without what it reads; gives the body and the Call."""
    datasets, run = service
    offers, clashes = Plugins(ROOT / "plugins").offers(datasets)
    assert clashes == []
    offered = {offer.endpoint.name: offer for offer in offers}

    def use(name, *, reads=True, **values):
        offer = offered[name]
        defaults = {each.name: each.default for each in offer.endpoint.parameters}
        others = {option: datasets[other] for option, other in offer.others.items() if reads}
        made = Call(offer.dataset, {**defaults, **values}, others, run)
        return offer.endpoint.answer(made), made

    return use


def body(answered):
    return answered[0]


@pytest.mark.parametrize(
    ("asked", "ids", "total"),
    [
        ({}, ["A", "B/1", "C"], 3),
        ({"category": "power"}, ["B/1", "C"], 2),
        ({"category": "Power"}, [], 0),
        ({"q": "ant"}, ["A"], 1),
        ({"q": "-1"}, ["A", "B/1", "C"], 3),
        ({"q": "%"}, [], 0),
        ({"q": "a", "category": "power", "limit": 1}, ["B/1"], 2),
        ({"limit": 3}, ["A", "B/1", "C"], 3),
        ({"limit": 2, "offset": 2}, ["C"], 3),
        ({"offset": 99}, [], 3),
    ],
)
def test_items_are_listed_by_id_with_how_many_fit(call, asked, ids, total):
    listed = body(call("items", **asked))
    assert ([item["id"] for item in listed["items"]], listed["total"]) == (ids, total)


def test_items_that_are_not_shown_lend_no_lineage(call):
    _, made = call("items", offset=99)
    assert made.stamp.dataset_id is None
    assert call("items")[1].stamp.dataset_id == "dim-1"


def test_a_series_is_by_date_with_both_ends_of_the_period(call):
    period = {"start": date(2026, 1, 2), "end": date(2026, 1, 8)}
    series, made = call("timeseries", id="B/1", **period)
    days = list(series["timeseries"])
    assert [day["date"].day for day in days] == [2, 3, 4, 5, 6, 7, 8]
    assert (days[0]["forecast"], days[0]["actual"], days[-1]["actual"]) == (3.0, 2.0, None)
    assert made.stamp.model_versions == ("v0", "v1")


@pytest.mark.parametrize(("reads", "item"), [(True, "C"), (False, "A")])
def test_a_known_item_without_rows_has_an_empty_series(call, reads, item):
    later = {"start": date(2027, 1, 1), "end": date(2027, 1, 1)}
    series = body(call("timeseries", reads=reads, id=item, **later))
    assert (series["item_id"], len(series["timeseries"])) == (item, 0)


@pytest.mark.parametrize(("reads", "item"), [(True, "D"), (False, "C")])
def test_an_item_that_nobody_lists_is_not_found(call, reads, item):
    with pytest.raises(NotFoundError, match=f"No item '{item}'") as caught:
        call("timeseries", reads=reads, id=item, **WHOLE)
    assert caught.value.facts == {"item_id": item}


@pytest.mark.parametrize("name", ["timeseries", "summary"])
def test_a_period_that_ends_before_it_starts_is_refused(call, name):
    with pytest.raises(InvalidParameterError) as caught:
        call(name, id="A", start=date(2026, 1, 2), end=FIRST_DAY)
    assert caught.value.facts["errors"][0]["parameter"] == "end"


def test_a_summary_counts_forecasts_of_all_and_errors_of_known_rows(call):
    summed = body(call("summary", item_ids=["A", "nobody"], **WHOLE))
    figures = summed["summary"]
    # Each forecast of the ten days is one above the day; seven days have an actual.
    assert figures["total_forecast"] == sum(range(2, 12))
    assert figures["total_actual"] == sum(range(1, 8))
    assert figures["mape"] == pytest.approx(sum(100 / day for day in range(1, 8)) / 7)
    assert figures["wape"] == figures["bias"] == pytest.approx(7 / 28 * 100)
    assert figures["items_count"] == 1
    assert summed["period"] == WHOLE
    assert "windows" not in summed


def test_a_summary_of_nothing_is_null_and_none(call):
    figures = dict(body(call("summary", item_ids=[], **WHOLE))["summary"])
    assert figures.pop("items_count") == 0
    assert set(figures.values()) == {None}


@pytest.mark.parametrize(
    ("window", "spans"),
    [
        ("week", [(2, 4), (5, 10)]),
        ("month", [(2, 10)]),
        ("day", [(day, day) for day in range(2, 11)]),
    ],
)
def test_windows_are_cut_to_the_period_and_add_up(call, window, spans):
    period = {"start": date(2026, 1, 2), "end": date(2026, 1, 10)}
    summed = body(call("summary", window=window, **period))
    windows = summed["windows"]
    assert [(each["start"].day, each["end"].day) for each in windows] == spans
    total = sum(each["total_forecast"] for each in windows)
    assert total == summed["summary"]["total_forecast"]


@pytest.mark.parametrize(("day", "stock"), [(None, 30), (2, 20), (9, 30)])
def test_stock_is_that_of_the_newest_row_not_after_a_day(call, day, stock):
    asked = {} if day is None else {"date": date(2026, 1, day)}
    found, made = call("inventory", id="B/1", **asked)
    assert (found["item_id"], found["current_stock"]) == ("B/1", stock)
    assert made.stamp.dataset_id == "stock-1"


@pytest.mark.parametrize(
    "asked", [{"id": "C"}, {"id": "b/1"}, {"id": "A", "date": date(2025, 12, 31)}]
)
def test_an_item_without_stock_is_not_found(call, asked):
    with pytest.raises(NotFoundError, match="No stock of item"):
        call("inventory", **asked)


def test_a_dataset_without_a_time_offers_no_series(bench):
    dataset, _ = bench.load({"k": ["A"]}, dataset=bench.dataset(endpoints={"summary": {}}))
    offers, (clash,) = Plugins(ROOT / "plugins").offers({"sales": dataset})
    assert "series" not in [offer.endpoint.name for offer in offers]
    assert clash.endpoint == "summary"


def test_other_datasets_lend_no_lineage(call):
    _, made = call("timeseries", id="C", **WHOLE)
    assert made.stamp.dataset_id is None
    assert [each.name for each in PERIOD] == ["start", "end"]
