"""The rows of any dataset over HTTP: pages, Generations, and what is refused."""

from urllib.parse import quote, urlencode

import pyarrow as pa
import pytest

from tests.conftest import forecast_columns

NAMES = ["items", "forecasts", "inventory"]
ROWS = "/api/v1/datasets/forecasts/rows"
ODD = """
  odd:
    source: gold
    path: odd.parquet
    keys: [select, "a b"]
    lineage: {dataset_id: {value: r}, model_version: {value: m}, generated_at: {value: 2026-01-01}}
    columns:
      closed: {filterable: false}
"""


def all_pages(client, address):
    while address is not None:
        page = client.get(address)
        assert page.status_code == 200, page.text
        yield page
        address = page.json["next"]


def test_pages_go_on_with_the_generation_they_began_in(client, write_table, refresh):
    first = client.get(f"{ROWS}?limit=8&sort=-forecast")
    write_table("fact_forecast", forecast_columns("v2", factor=10.0))
    assert refresh().status == "succeeded"
    rest = list(all_pages(client, first.json["next"]))
    assert {page.headers["X-Generation"] for page in (first, *rest)} == {"1"}
    seen = [row["forecast"] for page in (first, *rest) for row in page.json["data"]]
    assert seen == sorted(forecast_columns()["forecast"], reverse=True)
    assert client.get(f"{ROWS}?limit=1").headers["X-Generation"] == "2"


def test_a_link_header_leads_to_the_next_page(dashboard):
    page = dashboard.get(f"{ROWS}?limit=8")
    assert page.headers["Link"] == f'<{page.json["next"]}>; rel="next"'
    *_, last = all_pages(dashboard, page.json["next"])
    assert "Link" not in last.headers
    assert last.json["next"] is None


def test_a_page_tells_the_lineage_of_its_own_rows_only(dashboard):
    page = dashboard.get(f"{ROWS}?item_id=A&sort=date&limit=1").json
    # The second row is looked at, to see whether there is one; it is of model v0 as well.
    assert page["metadata"]["generated_at"] == page["data"][0]["generated_at"]


def test_any_read_can_be_pinned_to_a_kept_generation(client, write_table, refresh):
    addresses = [
        f"{ROWS}?limit=3",
        "/api/v1/datasets/forecasts/record?item_id=A&date=2026-01-02",
        "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10",
        "/api/v1/forecasts/summary?start=2026-01-01&end=2026-01-10",
        "/api/v1/datasets/forecasts/aggregate?measures=sum:forecast",
        "/api/v1/datasets/forecasts",
        "/api/v1/datasets",
    ]
    before = {address: client.get(address).json for address in addresses}
    write_table("fact_forecast", forecast_columns("v2", factor=10.0))
    assert refresh().status == "succeeded"
    for address, told in before.items():
        pinned = client.get(f"{address}{'&' if '?' in address else '?'}generation=1")
        assert pinned.headers["X-Generation"] == "1"
        assert without_next(pinned.json) == without_next(told)
        assert without_next(client.get(address).json) != without_next(told)


def without_next(body):
    return {name: value for name, value in body.items() if name != "next"}


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_a_generation_that_is_not_kept_is_refused(dashboard, number):
    answer = dashboard.get(f"{ROWS}?generation={number}")
    assert answer.status_code == (400 if number < 1 else 410)


def test_a_collected_generation_takes_its_cursors_with_it(client, write_table, refresh, settings):
    first = client.get(f"{ROWS}?limit=8").json
    write_table("fact_forecast", forecast_columns("v2"))
    assert refresh().status == "succeeded"
    (settings.state / "generations" / "00000001.json").unlink()
    gone = client.get(first["next"])
    assert (gone.status_code, gone.json["type"]) == (410, "urn:assay:problem:generation-gone")
    assert gone.json["kept"] == [2]


def test_a_generation_with_other_columns_cannot_be_read_any_more(client, write_table, refresh):
    columns = forecast_columns()
    write_table("fact_forecast", {**columns, "extra": [1] * len(columns["date"])})
    assert refresh().status == "succeeded"
    gone = client.get(f"{ROWS}?generation=1")
    assert (gone.status_code, gone.json["dataset"]) == (410, "forecasts")
    assert client.get("/api/v1/datasets/items/rows?generation=1").status_code == 200


def test_a_cursor_and_another_generation_do_not_go_together(client, write_table, refresh):
    cursor = client.get(f"{ROWS}?limit=8").json["next"]
    write_table("fact_forecast", forecast_columns("v2"))
    assert refresh().status == "succeeded"
    assert client.get(f"{cursor}&generation=1").status_code == 200
    refused = client.get(f"{cursor}&generation=2")
    assert refused.status_code == 400
    assert refused.json["errors"][0]["parameter"] == "cursor"


def test_a_cursor_of_another_question_is_refused(dashboard):
    cursor = dashboard.get(f"{ROWS}?limit=8&item_id=A").json["next"].partition("cursor=")[2]
    for other in ("item_id=B/1", "sort=-date&item_id=A", "item_id__ne=A", ""):
        assert dashboard.get(f"{ROWS}?{other}&cursor={cursor}").status_code == 400
    # How many rows a page has is no part of the question.
    assert dashboard.get(f"{ROWS}?item_id=A&limit=1&cursor={cursor}").status_code == 200


@pytest.mark.parametrize(
    ("query", "parameter", "told"),
    [
        ("itm_id=A", "itm_id", "did you mean 'item_id'?"),
        ("forecast__gtt=1", "forecast__gtt", "did you mean 'forecast__gt'?"),
        ("date__gt=x", "date__gt", "an ISO date such as 2026-01-31"),
        ("sort=dat", "sort", "did you mean 'date'?"),
        ("select=date,dat", "select", "did you mean 'date'?"),
        ("select=date,date", "select", "each name once"),
        ("limit=0", "limit", "1 or more"),
        ("limit=10001", "limit", "at most 10000"),
        ("date=2026-01-01&date=2026-01-02", "date", "once"),
        ("forecast=", "forecast", "a number"),
        ("cursor=abc", "cursor", "no cursor of this question"),
        ("count=yes", "count", "true or false"),
        ("bigint=text", "bigint", "string"),
    ],
)
def test_a_wrong_question_is_told_what_is_allowed(dashboard, query, parameter, told):
    refused = dashboard.get(f"{ROWS}?{query}")
    assert refused.status_code == 400
    (error,) = refused.json["errors"]
    assert error["parameter"] == parameter
    assert told in f"{error['message']} {error['allowed']}"


def test_too_many_filters_and_too_many_values_are_refused(dashboard):
    several = [(f"{c}__{op}", "1") for c in ("forecast", "actual") for op in ("gt", "lt", "ne")]
    names = ["item_id", "source", "model_version", "dataset_id"]
    texts = [(f"{c}__{op}", "x") for c in names for op in ("ne", "gt", "gte", "lt", "lte", "eq")]
    more = [(f"{c}__{op}", "x") for c in names for op in ("contains", "icontains", "startswith")]
    days = [
        (f"date__{op}", "2026-01-01") for op in ("ne", "gt", "gte", "lt", "lte", "in", "not_in")
    ]
    asked = [*several, *texts, *more, *days, ("actual__isnull", "true"), ("forecast", "1")]
    assert len(asked) == 51
    assert dashboard.get(ROWS, query_string=asked[:50]).status_code == 200
    refused = dashboard.get(ROWS, query_string=asked)
    assert "too many filters" in refused.json["errors"][0]["message"]
    lists = {"item_id__in": ",".join(["a"] * 600), "source__in": ",".join(["b"] * 600)}
    assert dashboard.get(ROWS, query_string=lists).status_code == 400


@pytest.fixture
def odd(client, registry_file, write_table, refresh):
    """The client of a service with a table of odd names."""
    registry_file.write_text(registry_file.read_text() + ODD)
    columns = {"select": ["x", "y"], "a b": [1, 2], "generation": [7, 8], "closed": ["s", "t"]}
    write_table("odd", {**columns, 'q"\n': pa.array([None, 2**60])})
    assert refresh().status == "succeeded"
    return client


def test_a_key_that_is_called_like_a_parameter_is_given_by_its_eq_form(odd):
    asked = urlencode({"select__eq": "y", "a b": 2})
    row = odd.get(f"/api/v1/datasets/odd/record?{asked}").json["data"]
    assert row == {"select": "y", "a b": 2, "generation": 8, "closed": "t", 'q"\n': 2**60}
    assert odd.get(f"/api/v1/datasets/odd/record?{asked}&select=closed").json["data"] == {
        "closed": "t"
    }


def test_a_column_called_like_a_parameter_of_all_is_asked_by_its_eq_form(odd):
    rows = odd.get("/api/v1/datasets/odd/rows?generation__eq=8").json["data"]
    assert [row["select"] for row in rows] == ["y"]
    assert odd.get(f"/api/v1/datasets/odd/rows?{quote('q' + chr(34) + chr(10))}={2**60}").json[
        "data"
    ]


def test_a_column_can_be_closed_to_filters_and_is_still_shown(odd):
    refused = odd.get("/api/v1/datasets/odd/rows?closed=s").json["errors"][0]
    assert refused["message"] == "column 'closed' cannot be filtered by"
    assert (
        odd.get("/api/v1/datasets/odd/rows?sort=-closed&limit=1").json["data"][0]["closed"] == "t"
    )


def test_a_dataset_can_do_without_the_generic_endpoints(client, registry_file, refresh):
    text = registry_file.read_text()
    place = "    endpoints: [items]\n"
    registry_file.write_text(
        text.replace(place, "    generic: false\n    endpoints: [items, rows]\n")
    )
    assert refresh().status == "succeeded"
    links = client.get("/api/v1/datasets/items").json["links"]
    assert set(links) == {"self", "openapi", "items", "rows"}
    assert client.get("/api/v1/datasets/items/rows").status_code == 200
    assert client.get("/api/v1/datasets/items/record?item_id=A").status_code == 404


def test_one_condition_asked_twice_is_refused_and_poisons_nobodys_answer(dashboard):
    refused = dashboard.get(f"{ROWS}?item_id=A&item_id__eq=B/1")
    assert refused.status_code == 400
    assert "asked by another parameter" in refused.json["errors"][0]["message"]
    assert {row["item_id"] for row in dashboard.get(f"{ROWS}?item_id=A").json["data"]} == {"A"}


def test_a_flood_of_unknown_names_is_refused_at_once(dashboard):
    refused = dashboard.get(ROWS, query_string={f"c{n}__": "" for n in range(900)})
    assert refused.status_code == 400
    assert len(refused.json["errors"]) == 10
    assert len(refused.data) < 5_000


def test_a_sort_by_more_columns_than_a_page_can_compare_is_refused(dashboard):
    names = "item_id,date,forecast,actual,source,model_version,dataset_id,generated_at"
    assert dashboard.get(f"{ROWS}?sort={names}").status_code == 200
    named = ",".join(f"c{n}" for n in range(9))
    assert "at most 8" in dashboard.get(f"{ROWS}?sort={named}").json["errors"][0]["message"]


def test_a_page_whose_address_would_be_refused_is_refused_before(odd, write_table, refresh):
    columns = {"select": ["x", "y"], "a b": [1, 2], "generation": [7, 8], "closed": ["s", "t"]}
    write_table("odd", {**columns, 'q"\n': pa.array([1, 2]), "long": ["漢" * 3000, "字" * 3000]})
    assert refresh().status == "succeeded"
    refused = odd.get("/api/v1/datasets/odd/rows?sort=long&limit=1")
    assert (refused.status_code, refused.json["errors"][0]["parameter"]) == (400, "sort")


def test_a_generation_with_another_time_cannot_be_read_any_more(client, registry_file, refresh):
    text = registry_file.read_text()
    before, name, rest = text.partition("  inventory:\n")
    registry_file.write_text(before + name + rest.replace("    time: date\n", ""))
    assert refresh().status == "succeeded"
    registry_file.write_text(text)
    assert refresh().status == "succeeded"
    gone = client.get("/api/v1/datasets/inventory/aggregate?window=year&generation=2")
    assert gone.status_code == 410


def test_a_dataset_that_is_gone_is_not_shown_by_an_older_generation(odd, registry_file, refresh):
    assert odd.get("/api/v1/datasets/odd").status_code == 200
    registry_file.write_text(registry_file.read_text().replace(ODD, ""))
    assert refresh().status == "succeeded"
    assert odd.get("/api/v1/datasets/odd?generation=2").status_code == 404
    listed = odd.get("/api/v1/datasets?generation=2").json["datasets"]
    assert [each["name"] for each in listed] == NAMES
    package = odd.get("/api/v1/datapackage.json?generation=2").json
    paths = [each["path"] for each in package["resources"]]
    assert paths == [f"datasets/{name}/rows.csv?generation=2" for name in NAMES]


DASHED = """
  dashed:
    source: gold
    path: dashed.parquet
    keys: ["-a"]
    lineage: {dataset_id: {value: r}, model_version: {value: m}, generated_at: {value: 2026-01-01}}
"""


def test_no_row_is_lost_where_a_key_begins_with_a_dash(client, registry_file, write_table, refresh):
    write_table("dashed", {"-a": range(20), "a": [n % 3 for n in range(20)]})
    registry_file.write_text(registry_file.read_text() + DASHED)
    assert refresh().status == "succeeded"
    own = "/api/v1/datasets/dashed"
    seen = [
        row["-a"] for page in all_pages(client, f"{own}/rows?limit=6") for row in page.json["data"]
    ]
    assert seen == list(range(20))
    grouped = client.get(f"{own}/aggregate?group_by=-a&sort=-a&limit=2")
    assert [row["-a"] for row in grouped.json["data"]] == [0, 1]


def test_an_export_can_be_asked_for_as_many_rows_as_a_document_says(dashboard):
    export = "/api/v1/datasets/forecasts/rows.csv"
    assert dashboard.get(f"{export}?limit={2**53 - 1}").status_code == 200
    assert dashboard.get(f"{export}?limit={2**63}").status_code == 400
