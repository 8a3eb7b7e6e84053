"""What all reading routes share: parameters, identity, kept answers, headers, refusals, logs."""

from urllib.parse import quote

import pytest
from werkzeug.test import Client

from app.service import make_front
from tests.conftest import REGISTRY, ROOT, inventory_columns
from tests.journeys.conftest import forecast_rows

PERIOD = "start=2026-01-01&end=2026-01-10"
SERIES = f"/api/v1/items/A/timeseries?{PERIOD}"
SUMMARY = f"/api/v1/forecasts/summary?{PERIOD}"
READS = ["/api/v1/items", SERIES, SUMMARY, "/api/v1/inventory/A", "/api/v1/datasets"]
INSIDE = ("Traceback", "duckdb", "SELECT", str(ROOT), ".py")
READS += ["/api/v1/datasets/items"]


def refused(answer, status, slug):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["type"] == f"urn:assay:problem:{slug}"
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["detail"]
    assert answer.json["instance"] == f"urn:assay:request:{answer.headers['X-Request-Id']}"
    return answer.json


def asked_with(events):
    (line,) = [each for each in events if each["event"] == "request"]
    return line


@pytest.mark.parametrize("address", READS)
def test_an_answer_names_its_generation_and_its_identity(dashboard, address):
    answer = dashboard.get(address)
    assert answer.headers["X-Generation"] == "1"
    assert answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "Assay"


@pytest.mark.parametrize("address", READS)
def test_what_a_client_has_is_confirmed_before_anything_is_asked(dashboard, address):
    etag = dashboard.get(address).headers["ETag"]
    answer = dashboard.get(address, headers={"If-None-Match": f'"other", {etag}'})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert answer.headers["X-Generation"] == "1"


def test_a_confirmation_runs_no_query(client, settings, events):
    etag = client.get(SERIES).headers["ETag"]
    worker_without_answers = Client(make_front(settings))
    events.clear()
    answer = worker_without_answers.get(SERIES, headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert asked_with(events)["cache"] == "revalidated"


def test_a_new_generation_is_another_identity(client, write_table, refresh):
    before = client.get(SERIES).headers["ETag"]
    write_table("fact_forecast", forecast_rows(("A", 1, 7, 1)))
    refresh()
    answer = client.get(SERIES, headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer.json["timeseries"][0]["forecast"] == 7
    assert answer.headers["ETag"] != before


@pytest.mark.parametrize(
    ("address", "status"),
    [(SERIES, 304), (SERIES.replace("/A/", "/nobody/"), 404), (f"{SERIES[:-10]}2025-01-01", 400)],
)
def test_any_identity_stands_for_an_answer_that_there_is(dashboard, address, status):
    assert dashboard.get(address, headers={"If-None-Match": "*"}).status_code == status


def test_one_question_has_one_identity_however_it_is_spelt(dashboard):
    spellings = [SERIES, "/api/v1/items/A/timeseries?end=2026-01-10&start=2026-01-01"]
    spellings += ["/api/v1/items/%41/timeseries?%73tart=2026-01-01&end=2026%2D01-10"]
    assert len({dashboard.get(each).headers["ETag"] for each in spellings}) == 1
    assert (
        dashboard.get(f"{SUMMARY}&item_ids=A,B/1").headers["ETag"]
        == (dashboard.get(f"{SUMMARY}&item_ids=A&item_ids=B/1").headers["ETag"])
    )


def test_other_questions_have_other_identities(dashboard):
    asked = [*READS, "/api/v1/items?q=a", "/api/v1/items?category=a", "/api/v1/items?limit=5"]
    assert len({dashboard.get(each).headers["ETag"] for each in asked}) == len(asked)


def test_an_answer_is_made_once_and_then_kept(client, events):
    bodies = [client.get(SERIES).data for _ in range(3)]
    assert [each["cache"] for each in events if each["event"] == "request"] == [
        "made",
        "kept",
        "kept",
    ]
    assert len(set(bodies)) == 1


def test_a_refusal_is_not_kept(client, events):
    address = SERIES.replace("/A/", "/new/")
    assert client.get(address).status_code == 404
    assert client.get(address).status_code == 404
    assert {each["cache"] for each in events if each["event"] == "request"} == {"none"}


def test_a_dataset_may_forbid_that_its_answers_are_kept(client, registry_file, refresh, events):
    registry_file.write_text(
        REGISTRY.replace("    time: date\n", "    time: date\n    cache: {max_age: 0}\n", 1)
    )
    refresh()
    events.clear()
    assert client.get(SERIES).data == client.get(SERIES).data
    assert [each["cache"] for each in events if each["event"] == "request"] == ["made", "made"]


def test_a_request_is_one_line_that_tells_what_was_answered(dashboard, events):
    dashboard.get(SERIES, headers={"X-Request-Id": "abc-1"})
    line = asked_with(events)
    ms = line.pop("ms")
    assert ms >= 0
    assert line.pop("cache") in {"made", "kept"}
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "abc-1",
        "method": "GET",
        "route": "/api/v1/items/{id}/timeseries",
        "status": 200,
        "dataset": "forecasts",
        "dataset_id": "run-1",
        "model_version": "v1",
        "generation": 1,
        "key_id": None,
    }


@pytest.mark.parametrize(
    ("given", "taken"),
    [("A-1", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False), ("ü", False)],
)
def test_a_request_id_is_taken_if_it_is_a_plain_one(dashboard, given, taken):
    shown = dashboard.get("/api/v1/items", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (shown == given) is taken
    assert shown


@pytest.mark.parametrize("address", READS)
def test_an_unknown_parameter_is_refused_and_the_nearest_named(dashboard, address):
    both = "&" if "?" in address else "?"
    problem = refused(dashboard.get(f"{address}{both}colour=red"), 400, "invalid-parameter")
    (error,) = problem["errors"]
    assert error["parameter"] == "colour"
    assert isinstance(error["allowed"], list)


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("/api/v1/items?ofset=1", "offset"),
        ("/api/v1/items?Limit=1", "limit"),
        ("/api/v1/items?LIMIT=1", "limit"),
        (f"{SERIES}&strat=2026-01-01", "start"),
        (f"{SUMMARY}&item_id=A", "item_ids"),
        (f"{SUMMARY}&windows=week", "window"),
        ("/api/v1/inventory/A?dat=2026-01-01", "date"),
    ],
)
def test_a_misspelt_parameter_is_told_what_was_meant(dashboard, address, meant):
    (error,) = refused(dashboard.get(address), 400, "invalid-parameter")["errors"]
    assert f"did you mean '{meant}'?" in error["message"]
    assert meant in error["allowed"]


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        (f"{SERIES}&start=2026-01-01", "start"),
        ("/api/v1/items?q=a&q=a", "q"),
        (f"{SUMMARY}&window=day&window=week", "window"),
    ],
)
def test_a_parameter_given_twice_is_refused(dashboard, address, parameter):
    (error,) = refused(dashboard.get(address), 400, "invalid-parameter")["errors"]
    assert error["parameter"] == parameter


def test_all_mistakes_are_told_at_once(dashboard):
    answer = dashboard.get("/api/v1/forecasts/summary?start=x&end=y&window=hour&colour=red")
    problem = refused(answer, 400, "invalid-parameter")
    told = {each["parameter"]: each["allowed"] for each in problem["errors"]}
    assert set(told) == {"start", "end", "window", "colour"}
    assert told["window"] == "day, week, month"


@pytest.mark.parametrize(
    "query", [b"q=%FF", b"q=\xff", b"%FF=1", b"q=%ED%A0%80", b"&".join([b"q=1"] * 2001)]
)
def test_a_query_that_cannot_be_read_is_refused(dashboard, query):
    environ = {"QUERY_STRING": query.decode("latin-1")}
    refused(dashboard.get("/api/v1/items", environ_overrides=environ), 400, "invalid-parameter")


def test_a_query_may_be_plain_utf_8(dashboard):
    environ = {"QUERY_STRING": "q=Überall".encode().decode("latin-1")}
    answer = dashboard.get("/api/v1/items", environ_overrides=environ)
    assert (
        answer.headers["ETag"]
        == dashboard.get(f"/api/v1/items?q={quote('Überall')}").headers["ETag"]
    )


@pytest.mark.parametrize("item", ["\xff", "\xed\xa0\x80", "a\xc3"])
def test_a_path_that_is_not_utf_8_is_refused(dashboard, item):
    environ = {"PATH_INFO": f"/api/v1/items/{item}/timeseries"}
    refused(dashboard.get(SERIES, environ_overrides=environ), 400, "malformed-request")


@pytest.mark.parametrize(
    "query", ["offset=99999999999999999999", "offset=9007199254740992", f"offset={'9' * 5000}"]
)
def test_a_number_beyond_any_row_is_refused(dashboard, query):
    refused(dashboard.get(f"/api/v1/items?{query}"), 400, "invalid-parameter")


def test_an_integer_key_is_read_as_one(client, write_table, refresh):
    write_table("fact_inventory", numbered())
    refresh()
    assert client.get("/api/v1/inventory/7").json["item_id"] == 7
    assert client.get("/api/v1/inventory/007").json["current_stock"] == 1
    assert client.get("/api/v1/inventory/-8").json["current_stock"] == 2
    assert client.get("/api/v1/inventory/9").status_code == 404
    assert client.get("/api/v1/inventory/99999999999999999999").status_code == 404
    problem = refused(client.get("/api/v1/inventory/x"), 400, "invalid-parameter")
    assert problem["errors"][0]["allowed"] == "a whole number"


def numbered():
    columns = {name: values[:2] for name, values in inventory_columns().items()}
    return {**columns, "item_id": [7, -8], "current_stock": [1, 2]}


@pytest.mark.parametrize("address", READS)
def test_head_is_get_without_the_body(dashboard, address):
    got, head = dashboard.get(address), dashboard.head(address)
    assert head.status_code == 200
    assert head.data == b""
    named = ("Content-Length", "ETag", "X-Generation", "Content-Type")
    assert [head.headers[name] for name in named] == [got.headers[name] for name in named]
    assert int(got.headers["Content-Length"]) == len(got.data)


@pytest.mark.parametrize("address", [*READS, "/health", "/openapi.json", "/docs"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_a_method_that_is_not_offered_is_refused_with_those_that_are(dashboard, address, method):
    answer = dashboard.open(address, method=method)
    refused(answer, 405, "method-not-allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("accept", ["text/csv", "text/html, image/*", "application/json;q=0"])
@pytest.mark.parametrize("address", READS)
def test_a_client_that_takes_no_json_is_refused(dashboard, address, accept):
    problem = refused(dashboard.get(address, headers={"Accept": accept}), 406, "not-acceptable")
    assert problem["allowed"] == ["application/json"]


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "text/html, application/json;q=0.1", ""]
)
def test_a_client_that_takes_json_among_others_is_answered(dashboard, accept):
    assert dashboard.get("/api/v1/items", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "address",
    [f"/api/v1/items?q={'x' * 8192}", f"/api/v1/inventory/{'x' * 8192}", "/" + "x" * 9000],
)
def test_an_address_that_is_too_long_is_refused(dashboard, address):
    assert refused(dashboard.get(address), 414, "uri-too-long")["allowed"] == 8192


@pytest.mark.parametrize(
    "address",
    ["/", "/api/v1", "/api/v1/", "/api/v1/items/", "/api/v1/items/A", "/api/v1/datasets/nobody",
     "/api/v2/items", "/docs/../app", "/docs/nothing.js", "/openapi.json/", "//", "/%00"],
)  # fmt: skip
def test_an_address_of_nothing_is_not_found(dashboard, address):
    refused(dashboard.get(address), 404, "not-found")


def test_a_dataset_that_is_not_there_is_told_the_nearest(dashboard):
    problem = refused(dashboard.get("/api/v1/datasets/forecast"), 404, "not-found")
    assert "'forecasts'" in problem["detail"]


def test_a_refusal_shows_nothing_of_the_inside(dashboard):
    asked = [f"/api/v1/items?{query}" for query in ("q=%FF", "limit=x", "x='--")]
    asked += ["/api/v1/inventory/'--;", "/nowhere", f"{SUMMARY}&window='"]
    for address in asked:
        text = dashboard.get(address).text
        assert not [word for word in INSIDE if word in text]
