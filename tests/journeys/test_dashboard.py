"""A dashboard asks: the contract of its routes, through the whole service."""

import re
import time
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

import pyarrow as pa
import pytest
from werkzeug.test import Client

from app.service import make_front
from tests.conftest import REGISTRY
from tests.journeys.conftest import (
    STAMP,
    UTC_TIME,
    forecast_rows,
    items_named,
    refreshed,
    settings_in,
    write_all,
)

SERIES = "/api/v1/items/{}/timeseries"
SUMMARY = "/api/v1/forecasts/summary"
INVENTORY = "/api/v1/inventory/{}"
PERIOD = "start=2026-01-01&end=2026-01-10"
ODD_IDS = [
    *("a/b", "/", "//", "a//b", "/a", "a/", "x/timeseries", "timeseries"),
    *("100%", "%2F", "%", "a b", "a+b", "a?b=c", "a#b", "a;b", "a&b", "a,b", "'", '"', "\\"),
    *("ünï", "日本", "🛰", "e\u0301", "a\nb", "\n", "a\tb", "a\x00b", " ", "", ".", "..", "../.."),
]


def series(client, item="A", period=PERIOD):
    return client.get(f"{SERIES.format(quote(item, safe=''))}?{period}")


def figures(client, more="", period=PERIOD):
    return client.get(f"{SUMMARY}?{period}{more}").json


def test_items_have_an_id_a_name_a_category_and_a_sku(dashboard):
    answer = dashboard.get("/api/v1/items")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json) == {"items", "total", "metadata"}
    first = {"id": "A", "name": "Antenna", "category": "radio", "sku": "ANT-1"}
    assert answer.json["items"][0] == first
    assert answer.json["total"] == 3


@pytest.fixture
def client(settings, registry_file):
    """A client of a service that has no Generation before the test makes one."""
    return Client(make_front(settings))


def test_items_are_ordered_by_id(client, write_table, refresh):
    write_table("dim_items", items_named("b", "B", "a10", "a2", "ä"))
    refresh()
    shown = [item["id"] for item in client.get("/api/v1/items").json["items"]]
    assert shown == ["B", "a10", "a2", "b", "ä"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("category=power", ["B/1", "C"]),
        ("category=Power", []),
        ("category=", []),
        ("q=NTENN", ["A"]),
        ("q=bat-1", ["B/1"]),
        ("q=BAT-1", ["B/1"]),
        ("q=-1", ["A", "B/1", "C"]),
        ("q=", ["A", "B/1", "C"]),
        ("q=%25", []),
        ("q=_", []),
        ("q=a&category=power", ["B/1", "C"]),
        ("limit=1", ["A"]),
        ("limit=2&offset=1", ["B/1", "C"]),
        ("offset=3", []),
        ("offset=9007199254740991", []),
    ],
)
def test_items_are_chosen_by_category_and_part_of_name_or_sku(dashboard, query, ids):
    answer = dashboard.get(f"/api/v1/items?{query}")
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json["items"]] == ids


@pytest.mark.parametrize(
    ("query", "total"),
    [("limit=1", 3), ("limit=1&offset=2", 3), ("offset=7", 3), ("q=b&limit=1", 2)],
)
def test_total_counts_all_items_that_fit_whatever_the_page(dashboard, query, total):
    assert dashboard.get(f"/api/v1/items?{query}").json["total"] == total


def test_a_part_of_a_name_is_found_in_any_case_beyond_ascii(client, write_table, refresh):
    write_table("dim_items", items_named("1", "2", name=["Élan", None]))
    refresh()
    found = client.get(f"/api/v1/items?q={quote('éLA')}").json
    assert [item["name"] for item in found["items"]] == ["Élan"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=10001", "limit=-1", "limit=1.5", "limit=", "offset=-1", "offset=x"]
)
def test_a_page_outside_its_bounds_is_refused(dashboard, query):
    answer = dashboard.get(f"/api/v1/items?{query}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["allowed"]


def test_a_time_series_has_both_ends_of_its_period(dashboard):
    answer = series(dashboard, period="start=2026-01-03&end=2026-01-05")
    assert answer.status_code == 200
    body = answer.json
    assert [row["date"] for row in body["timeseries"]] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert body["metadata"]["model_version"] == "v1"


def test_a_point_of_a_time_series_has_figures_and_lineage(dashboard):
    body = series(dashboard).json
    assert set(body) == {"item_id", "timeseries", "metadata"}
    assert body["item_id"] == "A"
    assert body["timeseries"][0] == {
        "date": "2026-01-01",
        "forecast": 2.0,
        "actual": 1.0,
        "source": "seasonal",
        "model_version": "v0",
        "generated_at": "2026-01-05T04:00:00Z",
    }
    assert body["timeseries"][-1]["actual"] is None


def test_a_time_series_is_ordered_by_date(client, write_table, refresh):
    write_table("fact_forecast", forecast_rows(*(("A", day, 1, 1) for day in (9, 2, 31, 10))))
    refresh()
    shown = [
        row["date"]
        for row in series(client, period="start=2026-01-01&end=2026-02-01").json["timeseries"]
    ]
    assert shown == ["2026-01-02", "2026-01-09", "2026-01-10", "2026-01-31"]


def test_a_known_item_without_rows_has_an_empty_series(dashboard):
    answer = series(dashboard, "C")
    assert (answer.status_code, answer.json["timeseries"]) == (200, [])


def test_an_item_without_rows_in_the_period_has_an_empty_series(dashboard):
    answer = series(dashboard, "A", "start=2025-01-01&end=2025-12-31")
    assert (answer.status_code, answer.json["timeseries"]) == (200, [])


@pytest.mark.parametrize("item", ["a", "A ", "B", "nobody", "ü"])
def test_an_unknown_item_is_not_found(dashboard, item):
    answer = series(dashboard, item)
    assert answer.status_code == 404
    assert answer.json["type"] == "urn:assay:problem:not-found"
    assert answer.json["item_id"] == item


def test_an_item_with_forecasts_is_known_though_nobody_lists_it(client, registry_file, refresh):
    text = registry_file.read_text()
    registry_file.write_text(text.replace("timeseries: {items: items}", "timeseries: {}"))
    refresh()
    assert series(client, "A", "start=2025-01-01&end=2025-01-02").status_code == 200
    assert series(client, "C").status_code == 404


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    stock = {
        "item_id": ODD_IDS,
        "date": pa.array([date(2026, 1, 1)] * len(ODD_IDS), pa.date32()),
        "current_stock": list(range(len(ODD_IDS))),
        "reorder_point": [1] * len(ODD_IDS),
        "safety_stock": [1] * len(ODD_IDS),
        "dataset_id": ["stock-1"] * len(ODD_IDS),
        "last_updated": pa.array([STAMP] * len(ODD_IDS), UTC_TIME),
    }
    forecasts = forecast_rows(*((item, 1, number, 1) for number, item in enumerate(ODD_IDS)))
    write_all(
        folder,
        {"dim_items": items_named(*ODD_IDS), "fact_forecast": forecasts, "fact_inventory": stock},
    )
    settings = settings_in(folder)
    refreshed(settings)
    return Client(make_front(settings))


@pytest.mark.parametrize("item", ODD_IDS, ids=ascii)
def test_an_id_may_hold_any_character(odd, item):
    number = ODD_IDS.index(item)
    body = series(odd, item).json
    assert body["item_id"] == item
    assert [row["forecast"] for row in body["timeseries"]] == [number]
    assert odd.get(INVENTORY.format(quote(item, safe=""))).json["current_stock"] == number
    twice = f"item_ids={quote(item, safe='')}&item_ids={quote(item, safe='')}"
    assert figures(odd, f"&{twice}")["summary"]["total_forecast"] == number


def test_the_summary_of_a_period_has_all_figures(dashboard):
    body = figures(dashboard)
    assert set(body) == {"summary", "period", "metadata"}
    assert body["period"] == {"start": "2026-01-01", "end": "2026-01-10"}
    mape = 100 * sum(1 / day for day in range(1, 8)) / 7
    assert body["summary"] == {
        "total_forecast": 130.0,
        "total_actual": 56.0,
        "mape": pytest.approx(mape),
        "wape": pytest.approx(25.0),
        "bias": pytest.approx(25.0),
        "items_count": 2,
    }


@pytest.mark.parametrize(
    "rows_and_figures",
    [
        ([("A", 1, 5, None)], {"total_forecast": 5, "total_actual": None}),
        ([("A", 1, 5, None)], {"mape": None, "wape": None, "bias": None}),
        ([("A", 1, 5, 0)], {"total_actual": 0, "mape": None, "wape": None, "bias": None}),
        ([("A", 1, 5, 0), ("A", 2, 3, 2)], {"mape": 50, "wape": 300, "bias": 300}),
        ([("A", 1, 1, 2), ("A", 2, 3, 2)], {"mape": 50, "wape": 50, "bias": 0}),
        ([("A", 1, -1, -2)], {"mape": 50, "wape": 50, "bias": -50}),
        ([("A", 1, 2, -2), ("A", 2, 2, 2)], {"mape": 100, "wape": 100, "bias": None}),
        ([("A", 1, 9, float("nan")), ("A", 2, 3, 2)], {"total_actual": 2, "wape": 50}),
        ([("A", 1, 9, float("nan")), ("A", 2, 3, 2)], {"total_forecast": 12, "mape": 50}),
        ([("A", 1, None, 4), ("A", 2, 3, 2)], {"total_actual": 6, "wape": 50, "bias": 50}),
    ],
)
def test_a_figure_is_null_where_there_is_nothing_to_divide_by(
    client, write_table, refresh, rows_and_figures
):
    rows, expected = rows_and_figures
    write_table("fact_forecast", forecast_rows(*rows))
    refresh()
    summary = figures(client)["summary"]
    assert {name: summary[name] for name in expected} == pytest.approx(expected)


def test_a_forecast_that_is_missing_counts_nowhere_though_none_was_before(
    client, write_table, refresh
):
    for forecast, wape in ((3, 50.0), (None, 100.0), (5, 50.0)):
        write_table("fact_forecast", forecast_rows(("A", 1, forecast, 4), ("A", 2, 4, 2)))
        refresh()
        assert figures(client)["summary"]["wape"] == pytest.approx(wape)


@pytest.mark.parametrize(
    ("chosen", "count", "total"),
    [
        ("item_ids=A", 1, 65),
        ("item_ids=A,B/1", 2, 130),
        ("item_ids=A&item_ids=B/1", 2, 130),
        ("item_ids=A,A", 1, 65),
        ("item_ids=A,nobody", 1, 65),
        ("item_ids=C", 0, None),
        ("item_ids=nobody", 0, None),
        ("item_ids=", 0, None),
    ],
)
def test_unknown_items_add_nothing_to_a_summary(dashboard, chosen, count, total):
    summary = figures(dashboard, f"&{chosen}")["summary"]
    assert (summary["items_count"], summary["total_forecast"]) == (count, total)


def test_an_id_with_a_comma_is_asked_for_by_repeating_the_parameter(client, write_table, refresh):
    write_table("fact_forecast", forecast_rows(("x,y", 1, 1, 1), ("x", 1, 2, 1), ("y", 1, 4, 1)))
    refresh()
    assert figures(client, "&item_ids=x,y")["summary"]["total_forecast"] == 6
    assert figures(client, "&item_ids=x,y&item_ids=x")["summary"]["total_forecast"] == 3


@pytest.mark.parametrize(
    ("window", "period", "ends"),
    [
        ("week", PERIOD, ["2026-01-01 2026-01-04", "2026-01-05 2026-01-10"]),
        ("week", "start=2026-01-05&end=2026-01-11", ["2026-01-05 2026-01-11"]),
        ("week", "start=2025-12-01&end=2026-01-02", ["2025-12-29 2026-01-02"]),
        ("month", "start=2025-12-15&end=2026-03-01", ["2026-01-01 2026-01-31"]),
        ("month", PERIOD, ["2026-01-01 2026-01-10"]),
        (
            "day",
            "start=2026-01-09&end=2026-02-01",
            ["2026-01-09 2026-01-09", "2026-01-10 2026-01-10"],
        ),
        ("week", "start=2025-01-01&end=2025-02-01", []),
    ],
)
def test_windows_are_calendar_windows_clipped_to_the_period(dashboard, window, period, ends):
    windows = figures(dashboard, f"&window={window}", period)["windows"]
    assert [f"{each['start']} {each['end']}" for each in windows] == ends


def test_the_figures_of_windows_add_up_to_the_summary(dashboard):
    body = figures(dashboard, "&window=week&item_ids=A")
    assert set(body["windows"][0]) == {"start", "end", *body["summary"]}
    for name in ("total_forecast", "total_actual"):
        assert sum(each[name] for each in body["windows"]) == body["summary"][name]


def test_the_last_and_the_first_week_of_the_calendar_have_ends(client, write_table, refresh):
    days = pa.array([date.min, date.max], pa.date32())
    write_table("fact_forecast", forecast_rows(("A", 1, 1, 1), ("A", 2, 1, 1), date=days))
    refresh()
    windows = figures(client, "&window=week", "start=0001-01-01&end=9999-12-31")["windows"]
    assert [(each["start"], each["end"]) for each in windows] == [
        ("0001-01-01", "0001-01-07"),
        ("9999-12-27", "9999-12-31"),
    ]


def test_stock_is_that_of_the_newest_row(dashboard):
    body = dashboard.get(INVENTORY.format("A")).json
    metadata = body.pop("metadata")
    assert body == {
        "item_id": "A",
        "current_stock": 30,
        "reorder_point": 15,
        "safety_stock": 5,
        "last_updated": "2026-01-03T06:00:00Z",
    }
    assert metadata["generated_at"] == "2026-01-03T06:00:00Z"


@pytest.mark.parametrize(
    ("day", "stock"), [("2026-01-01", 10), ("2026-01-02", 20), ("2030-01-01", 30)]
)
def test_stock_of_a_day_is_that_of_the_newest_row_not_after_it(dashboard, day, stock):
    assert dashboard.get(f"{INVENTORY.format('B/1')}?date={day}").json["current_stock"] == stock


@pytest.mark.parametrize("address", ["A?date=2025-12-31", "C", "nobody"])
def test_an_item_without_such_stock_is_not_found(dashboard, address):
    assert dashboard.get(INVENTORY.format(address)).status_code == 404


@pytest.mark.parametrize("route", [SERIES.format("A"), SUMMARY])
@pytest.mark.parametrize(
    ("period", "wrong"),
    [
        ("end=2026-01-01", ["start"]),
        ("start=2026-01-01", ["end"]),
        ("", ["start", "end"]),
        ("start=yesterday&end=2026-01-01", ["start"]),
        ("start=2026-1-1&end=2026-01-32", ["start", "end"]),
        ("start=&end=2026-01-01", ["start"]),
        ("start=2026-W01-1&end=2026-01-10", ["start"]),
        ("start=20260101&end=2026-01-10", ["start"]),
        ("start=2026-01-01T00:00:00&end=2026-01-10", ["start"]),
        ("start=2026-01-02&end=2026-01-01", ["end"]),
    ],
)
def test_a_period_that_is_none_is_refused_with_what_is_expected(dashboard, route, period, wrong):
    answer = dashboard.get(f"{route}?{period}")
    assert answer.status_code == 400
    assert answer.json["type"] == "urn:assay:problem:invalid-parameter"
    assert [error["parameter"] for error in answer.json["errors"]] == wrong
    assert all(error["message"] and error["allowed"] for error in answer.json["errors"])


def test_a_period_of_one_day_is_one(dashboard):
    body = series(dashboard, period="start=2026-01-02&end=2026-01-02").json
    assert [row["date"] for row in body["timeseries"]] == ["2026-01-02"]


def test_metadata_is_that_of_the_newest_row_answered(dashboard):
    assert series(dashboard, period="start=2026-01-03&end=2026-01-05").json["metadata"] == {
        "dataset": "forecasts",
        "dataset_id": "run-1",
        "model_version": "v1",
        "generated_at": "2026-01-05T08:00:00Z",
        "generation": 1,
        "freshness": "fresh",
    }


def test_several_model_versions_are_all_named(dashboard):
    assert series(dashboard).json["metadata"]["model_versions"] == ["v0", "v1"]
    assert figures(dashboard)["metadata"]["model_versions"] == ["v0", "v1"]


def test_of_rows_made_at_one_time_the_greatest_model_then_dataset_counts(
    client, write_table, refresh
):
    rows = [("A", day, 1, 1) for day in (1, 2, 3)]
    lineage = {"model_version": ["v9", "v10", "v9"], "dataset_id": ["d1", "d9", "d2"]}
    write_table("fact_forecast", forecast_rows(*rows, **lineage))
    refresh()
    for body in (series(client).json, figures(client)):
        assert (body["metadata"]["model_version"], body["metadata"]["dataset_id"]) == ("v9", "d2")


def test_lineage_is_null_where_no_row_took_part(dashboard):
    for answer in (series(dashboard, "C"), dashboard.get(f"{SUMMARY}?{PERIOD}&item_ids=C")):
        metadata = answer.json["metadata"]
        assert {metadata[name] for name in ("dataset_id", "model_version", "generated_at")} == {
            None
        }
        assert "model_versions" not in metadata
        assert not {"X-Dataset-Id", "X-Model-Version"} & set(answer.headers.keys())


def test_headers_repeat_the_lineage_percent_encoded(client, write_table, refresh):
    lineage = {"model_version": ["vé/1 ü"], "dataset_id": ["日 本%"]}
    write_table("fact_forecast", forecast_rows(("A", 1, 1, 1), **lineage))
    refresh()
    headers = series(client).headers
    assert headers["X-Generation"] == "1"
    assert headers["X-Model-Version"] == quote("vé/1 ü", safe="")
    assert headers["X-Dataset-Id"] == quote("日 本%", safe="")


@pytest.mark.parametrize(
    "case_of_age",
    [
        ("{warn_after: {count: 1000000, period: day}}", "fresh"),
        ("{warn_after: {count: 1, period: minute}}", "warn"),
        (
            "{warn_after: {count: 1, period: minute}, error_after: {count: 1, period: hour}}",
            "error",
        ),
    ],
)
def test_an_answer_says_how_fresh_its_dataset_is(client, registry_file, refresh, case_of_age):
    ages, state = case_of_age
    text = REGISTRY.replace("    time: date\n", f"    time: date\n    freshness: {ages}\n", 1)
    registry_file.write_text(text)
    refresh()
    assert series(client).json["metadata"]["freshness"] == state
    assert client.get("/api/v1/items").json["metadata"]["freshness"] == "fresh"
    health = client.get("/health").json
    assert health["datasets"]["forecasts"] == state
    assert health["status"] == ("healthy" if state == "fresh" else "degraded")


def test_a_draft_is_nowhere(client, registry_file, refresh):
    registry_file.write_text(
        REGISTRY.replace(
            "source: gold\n    path: fact_inv",
            "status: draft\n    source: gold\n    path: fact_inv",
        )
    )
    refresh()
    assert client.get(INVENTORY.format("A")).status_code == 404
    assert client.get("/api/v1/datasets/inventory").status_code == 404
    names = [each["name"] for each in client.get("/api/v1/datasets").json["datasets"]]
    assert names == ["items", "forecasts"]
    assert not re.search("inventory", client.get("/openapi.json").text)


def test_a_deprecated_dataset_says_so(client, registry_file, refresh):
    since = (
        "status: deprecated\n    deprecated_since: 2026-01-31\n    source: gold\n    path: fact_inv"
    )
    registry_file.write_text(REGISTRY.replace("source: gold\n    path: fact_inv", since))
    refresh()
    assert client.get(INVENTORY.format("A")).headers["Deprecation"] == "@1769817600"
    assert "Deprecation" not in client.get("/api/v1/items").headers
    path = client.get("/openapi.json").json["paths"]["/api/v1/inventory/{id}"]
    assert path["get"]["deprecated"] is True


def test_a_kept_answer_does_not_hide_that_its_dataset_has_become_late(
    client, registry_file, refresh, write_table
):
    ages = "    time: date\n    freshness: {warn_after: {count: 1, period: minute}}\n"
    registry_file.write_text(REGISTRY.replace("    time: date\n", ages, 1))
    made = datetime.now(UTC) - timedelta(seconds=53)
    columns = forecast_rows(("A", 1, 1.0, 1.0), generated_at=pa.array([made], UTC_TIME))
    write_table("fact_forecast", columns)
    refresh()
    first = series(client)
    assert first.json["metadata"]["freshness"] == "fresh"
    time.sleep(max(0.0, 60.2 - (datetime.now(UTC) - made).total_seconds()))
    later = client.get(
        "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10",
        headers={"If-None-Match": first.headers["ETag"]},
    )
    assert later.status_code == 200
    assert later.json["metadata"]["freshness"] == "warn"
