"""Figures and series of a dataset that only YAML knows, through HTTP."""

from urllib.parse import urlencode

import pytest

AGGREGATE = "/api/v1/datasets/forecasts/aggregate"
SERIES = "/api/v1/datasets/forecasts/series"


@pytest.fixture
def get(dashboard):
    """Asks a route; gives the body, which has to be an answer unless a status is expected."""

    def ask(path, status=200, **query):
        response = dashboard.get(f"{path}?{urlencode(query)}")
        assert response.status_code == status, response.json
        return response.json

    return ask


def test_figures_by_group_and_window_come_with_their_lineage(get):
    asked = {"group_by": "item_id", "measures": "count,sum:forecast,avg:actual", "window": "month"}
    body = get(AGGREGATE, **asked, date__lte="2026-01-04")
    assert body["data"] == [
        {
            "window": "2026-01-01",
            "item_id": item,
            "count": 4,
            "sum_forecast": 14.0,
            "avg_actual": 2.5,
        }
        for item in ("A", "B/1")
    ]
    assert body["next"] is None
    assert body["metadata"]["model_versions"] == ["v0", "v1"]


def test_figures_are_paged_without_a_gap(dashboard, get):
    asked = {"group_by": "item_id,date", "sort": "-count_distinct_source", "limit": 7}
    body = get(AGGREGATE, **asked, measures="count_distinct:source")
    pages = [body["data"]]
    while body["next"]:
        body = dashboard.get(body["next"]).json
        pages.append(body["data"])
    found = [(row["item_id"], row["date"]) for page in pages for row in page]
    assert [len(page) for page in pages] == [7, 7, 6]
    assert found == sorted(set(found))
    assert len(found) == 20


def test_a_misspelt_measure_is_refused_with_the_nearest(get):
    refused = get(AGGREGATE, 400, measures="count,sum:forcast")
    assert "did you mean 'sum:forecast'?" in refused["detail"]
    refused = get(AGGREGATE, 400, group_by="item_id", sort="-item")
    assert "did you mean 'item_id'?" in refused["detail"]


def test_a_dataset_without_a_time_has_no_windows_and_no_series(get):
    assert "window" in get("/api/v1/datasets/items/aggregate", 400, window="day")["detail"]
    get("/api/v1/datasets/items/series", 404)


def test_a_series_is_ready_to_be_drawn(get):
    body = get(SERIES, value="forecast,avg:actual", until="2026-01-03", item_id="A")
    assert body["time"] == ["2026-01-01", "2026-01-02"]
    assert body["values"] == {"forecast": [2.0, 3.0], "avg_actual": [1.0, 2.0]}
    assert body["metadata"]["model_version"] == "v0"


def test_a_series_is_a_whole_grid_of_few_points_if_asked(get):
    asked = {"value": "forecast", "from": "2025-12-01", "until": "2026-03-01"}
    body = get(SERIES, **asked, fill="zero", points=10)
    assert len(body["time"]) == len(body["values"]["forecast"]) == 10
    assert (body["time"][0], body["time"][-1]) == ("2025-12-01", "2026-02-28")
    weeks = get(SERIES, **asked, fill="null", window="week")
    assert (weeks["time"][0], len(weeks["time"])) == ("2025-12-01", 13)


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({}, "value"),
        ({"value": "item_id"}, "value"),
        ({"value": "forecast", "from": "yesterday"}, "from"),
        ({"value": "forecast", "points": 2}, "points"),
        ({"value": "forecast", "fill": "linear"}, "fill"),
        ({"value": "forecast", "fill": "zero", "from": "0001-01-01"}, "window"),
    ],
)
def test_what_a_series_cannot_be_asked_is_refused_by_name(get, asked, parameter):
    assert [each["parameter"] for each in get(SERIES, 400, **asked)["errors"]] == [parameter]


def test_both_are_documented_with_what_this_dataset_has(dashboard):
    document = dashboard.get("/openapi.json").json
    schemas = document["components"]["schemas"]
    assert "avg:forecast" in schemas["forecasts.value"]["enum"]
    record = schemas["forecasts.aggregate"]["properties"]["data"]["items"]["properties"]
    assert {"item_id", "count", "window"} <= record.keys()
    assert "/api/v1/datasets/items/series" not in document["paths"]


@pytest.mark.parametrize("asked", [{}, {"date__gte": "2026-01-01"}])
def test_a_page_of_figures_has_the_lineage_of_all_rows_that_fit(get, asked):
    told = get(AGGREGATE, group_by="date", limit=1, **asked)["metadata"]
    assert (told["model_version"], told["model_versions"]) == ("v1", ["v0", "v1"])
    nothing = get(AGGREGATE, item_id="nobody")["metadata"]
    assert (nothing["model_version"], nothing["generated_at"]) == (None, None)
