"""The demo's tables are the same on every machine and hold what the dashboard's pages need."""

import hashlib
from datetime import date

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from app.cli.demo_data import FUTURE_DAYS, write_demo_data

ITEMS, DAYS = 60, 150


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    paths = write_demo_data(tmp_path_factory.mktemp("gold"), items=ITEMS, days=DAYS)
    return {path.stem: pq.read_table(path) for path in paths}


def sums(folder, **size):
    return [hashlib.sha256(path.read_bytes()).digest() for path in write_demo_data(folder, **size)]


def rows_by_key(table, *keys):
    return table.group_by(list(keys)).aggregate([([], "count_all")])["count_all"].to_pylist()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first = sums(tmp_path / "a", items=5, days=90)
    assert sums(tmp_path / "b", items=5, days=90) == first
    assert sums(tmp_path / "c", items=5, days=90, seed=8)[1:] != first[1:]


def test_each_forecasted_item_has_a_row_a_day(tables):
    forecasts = tables["fact_forecast"]
    forecasted = pc.count_distinct(forecasts["item_id"]).as_py()
    assert tables["dim_items"].num_rows == ITEMS
    assert forecasts.num_rows == forecasted * DAYS


def test_some_items_have_no_forecast(tables):
    forecasted = set(tables["fact_forecast"]["item_id"].to_pylist())
    assert forecasted < set(tables["dim_items"]["item_id"].to_pylist())


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("dim_items", ["item_id"]),
        ("dim_items", ["sku"]),
        ("dim_items", ["name"]),
        ("fact_forecast", ["item_id", "date"]),
        ("fact_inventory", ["item_id", "date"]),
    ],
)
def test_keys_are_unique(tables, name, keys):
    assert set(rows_by_key(tables[name], *keys)) == {1}


def test_only_future_actuals_are_null(tables):
    dates, actual = tables["fact_forecast"]["date"], tables["fact_forecast"]["actual"]
    future = pc.greater(dates, date(2024, 3, 30))
    assert pc.all(pc.equal(pc.is_null(actual), future)).as_py()
    nulls = {
        table.column_names[at]: column.null_count
        for table in tables.values()
        for at, column in enumerate(table.columns)
        if column.null_count
    }
    assert nulls == {"actual": FUTURE_DAYS * len(rows_by_key(tables["fact_forecast"], "item_id"))}


def test_several_model_versions_took_part(tables):
    per_item = tables["fact_forecast"].group_by("item_id")
    versions = per_item.aggregate([("model_version", "count_distinct")])
    assert set(versions["model_version_count_distinct"].to_pylist()) == {2}
    assert pc.count_distinct(tables["fact_forecast"]["model_version"]).as_py() == 4


def test_some_stock_is_below_its_reorder_point(tables):
    stock = tables["fact_inventory"]
    newest = stock.filter(pc.equal(stock["date"], pc.max(stock["date"])))
    short = pc.sum(pc.less(newest["current_stock"], newest["reorder_point"])).as_py()
    assert 0 < short < ITEMS
    assert pc.min(stock["current_stock"]).as_py() >= 0


def test_timestamps_are_utc_and_dates_are_dates(tables):
    forecasts = tables["fact_forecast"].schema
    assert str(forecasts.field("generated_at").type) == "timestamp[us, tz=UTC]"
    assert str(forecasts.field("date").type) == "date32[day]"


def test_each_table_is_reported_and_no_unfinished_file_stays(tmp_path):
    told = []
    paths = write_demo_data(tmp_path, items=3, days=70, progress=lambda *table: told.append(table))
    assert told == [("dim_items", 3), ("fact_forecast", 210), ("fact_inventory", 6)]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.parametrize("size", [{"items": 0}, {"days": FUTURE_DAYS}])
def test_a_demo_without_items_or_past_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match="at least"):
        write_demo_data(tmp_path, **size)


def test_parts_beyond_the_catalogue_are_marked(tmp_path):
    names = pq.read_table(write_demo_data(tmp_path, items=541, days=61)[0])["name"].to_pylist()
    assert names[540] == f"{names[0]} Mk 2"
    assert len(set(names)) == 541
