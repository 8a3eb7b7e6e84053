"""An admin refreshes: who may, what is refused and in which order, and what a failure leaves."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa
import pytest
from werkzeug.test import Client

from app.generation import Store
from app.service import make_front
from tests.conftest import REGISTRY, forecast_columns, inventory_columns, item_columns, key_headers
from tests.journeys.conftest import forecast_rows, items_named

REFRESH = "/api/v1/data/refresh"
SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
READS = [
    *("/api/v1/items", SERIES, "/api/v1/inventory/A", "/api/v1/datasets", "/openapi.json"),
    "/api/v1/forecasts/summary?start=2026-01-01&end=2026-01-10&window=week",
]
BROKEN = "version: 2\ndatasets:\n  items: {source: nowhere, colour: red}\n"


def post(client, headers, body=None, wait=30):
    prefer = {"Prefer": f"wait={wait}"} if wait else {}
    content = {} if body is None else {"json": body}
    return client.post(REFRESH, headers={**headers, **prefer}, **content)


def refused(answer, status, slug):
    assert (answer.status_code, answer.json["type"]) == (status, f"urn:assay:problem:{slug}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json


def served(client):
    return [(each.status, each.headers["ETag"], each.data) for each in map(client.get, READS)]


def until_done(client, headers, job_id):
    for _ in range(1000):
        job = client.get(f"{REFRESH}/{job_id}", headers=headers).json
        if job["status"] not in {"triggered", "running"}:
            return job
        time.sleep(0.02)
    raise AssertionError(job)


@pytest.fixture
def busy(settings):
    """Keeps the builder waiting while it is held."""
    return lambda: Store.at(settings.state).lock("build")


@pytest.mark.parametrize("scope", ["refresh", "admin"])
def test_a_call_is_accepted_and_done_later(client, settings, write_table, scope):
    headers = key_headers(settings, scope)
    write_table("fact_forecast", forecast_columns("v2"))
    answer = post(client, headers, wait=0)
    assert answer.status_code == 202
    body = answer.json
    assert set(body) == {"status", "job_id", "estimated_completion", "message", "links"}
    assert body["status"] == "triggered"
    assert datetime.fromisoformat(body["estimated_completion"])
    assert answer.headers["Location"] == body["links"]["job"] == f"{REFRESH}/{body['job_id']}"
    assert until_done(client, headers, body["job_id"])["status"] == "succeeded"
    assert client.get(SERIES).json["metadata"]["model_version"] == "v2"


def test_a_call_that_waits_gets_the_job_that_is_done(client, admin, write_table):
    write_table("fact_forecast", forecast_columns("v2"))
    answer = post(client, admin)
    assert answer.status_code == 200
    job = answer.json
    assert job["status"] == "succeeded"
    assert job["generation"] == {"from": 1, "to": 2}
    outcomes = {each["name"]: each["outcome"] for each in job["datasets"]}
    assert outcomes == {"items": "reused", "forecasts": "loaded", "inventory": "reused"}
    assert job["progress"]["done"] == job["progress"]["total"] > 0
    assert job["requested_at"] <= job["started_at"] <= job["finished_at"]
    assert job["problem"] is None
    assert client.get(SERIES).headers["X-Generation"] == "2"


def test_the_job_counts_answers_that_were_dropped_and_names_workers(client, admin, write_table):
    client.get(SERIES)
    write_table("fact_forecast", forecast_columns("v2"))
    job_id = post(client, admin).json["job_id"]
    client.get(SERIES)
    job = client.get(f"{REFRESH}/{job_id}", headers=admin).json
    assert job["answers_dropped"] == 1
    assert [worker["generation"] for worker in job["workers"]] == [2]


def test_a_refresh_without_changes_changes_nothing(client, admin):
    before = served(client)
    for body in ({"force": True}, {"dry_run": False, "generation": None}):
        job = post(client, admin, body).json
        assert (job["status"], job["generation"]) == ("unchanged", {"from": 1, "to": 1})
    assert served(client) == before


def test_only_the_data_that_is_named_is_looked_at(client, admin, write_table):
    write_table("dim_items", items_named("new"))
    write_table("fact_forecast", forecast_columns("v2"))
    job = post(client, admin, {"datasets": ["forecasts"]}).json
    assert {each["name"]: each["outcome"] for each in job["datasets"]}["items"] == "reused"
    assert client.get("/api/v1/items").json["total"] == 3
    assert client.get(SERIES).json["metadata"]["model_version"] == "v2"
    assert post(client, admin, {"source": "gold"}).json["status"] == "succeeded"
    assert client.get("/api/v1/items").json["total"] == 1


def test_a_source_names_its_datasets(client, admin, registry_file, write_table):
    other = registry_file.parent / "other"
    other.mkdir()
    moved = write_table("dim_items", item_columns()).rename(other / "dim_items.parquet")
    text = REGISTRY.replace("sources:\n", "sources:\n  dims: {location: other}\n")
    registry_file.write_text(text.replace("source: gold", "source: dims", 1))
    assert post(client, admin).json["status"] in {"succeeded", "unchanged"}
    write_table("dim_items", items_named("new")).rename(moved)
    assert post(client, admin, {"source": "gold"}).json["status"] == "unchanged"
    assert post(client, admin, {"source": "dims"}).json["status"] == "succeeded"
    problem = refused(
        post(client, admin, {"source": "dims", "datasets": ["forecasts"]}), 422, "invalid-body"
    )
    assert problem["errors"][0]["allowed"] == ["items"]


@pytest.mark.parametrize("method", ["POST", "GET", "job"])
def test_without_a_key_nothing_is_told(client, registry_file, method):
    registry_file.write_text(BROKEN)
    answer = {
        "POST": lambda: client.post(REFRESH, data="{", content_type="text/plain"),
        "GET": lambda: client.get(REFRESH),
        "job": lambda: client.get(f"{REFRESH}/job_1"),
    }[method]()
    refused(answer, 401, "invalid-credential")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["POST", "GET", "job"])
def test_a_key_without_the_scope_is_told_only_that(client, reader, registry_file, method):
    registry_file.write_text(BROKEN)
    answer = {
        "POST": lambda: client.post(REFRESH, headers=reader, data="{"),
        "GET": lambda: client.get(REFRESH, headers=reader),
        "job": lambda: client.get(f"{REFRESH}/job_1", headers=reader),
    }[method]()
    assert refused(answer, 403, "forbidden")["scope"] == "refresh"


def test_the_body_is_read_before_the_registry(client, admin, registry_file):
    registry_file.write_text(BROKEN)
    content = {"data": "{", "content_type": "application/json"}
    refused(client.post(REFRESH, headers=admin, **content), 400, "malformed-json")
    refused(post(client, admin, {"sauce": "x"}), 422, "invalid-body")
    refused(post(client, admin, {"source": "x"}), 422, "invalid-registry")


def test_a_broken_registry_is_told_with_every_place(client, admin, registry_file):
    registry_file.write_text(BROKEN)
    before = served(client)
    problem = refused(post(client, admin), 422, "invalid-registry")
    places = [(each["file"], each["line"], each["column"]) for each in problem["errors"]]
    assert ("datasets.yaml", 1, 1) in places
    assert ("datasets.yaml", 3, 11) in places
    assert len(places) >= 4
    assert served(client) == before
    assert client.get(REFRESH, headers=admin).json["jobs"][0]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"sauce": "gold"}, "/sauce"),
        ({"source": 1}, "/source"),
        ({"datasets": "forecasts"}, "/datasets"),
        ({"datasets": [1]}, "/datasets"),
        ({"force": "true"}, "/force"),
        ({"force": 1}, "/force"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"dry_run": True, "generation": 1}, "/generation"),
        ({"generation": "1"}, "/generation"),
        ({"source": "glod"}, "/source"),
        ({"datasets": ["items", "forecast"]}, "/datasets"),
    ],
)
def test_a_body_that_does_not_fit_is_told_where(dashboard, dashboard_admin, body, pointer):
    problem = refused(post(dashboard, dashboard_admin, body), 422, "invalid-body")
    assert [each["pointer"] for each in problem["errors"]] == [pointer]
    # The members that there are help only who named none of them.
    told = problem["errors"][0].get("allowed", ())
    assert ("force" in told) == (pointer == "/sauce")


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({"dataset": ["items"]}, "datasets"),
        ({"source": "glod"}, "gold"),
        ({"datasets": ["forecast"]}, "forecasts"),
    ],
)
def test_a_misspelt_name_is_told_what_was_meant(dashboard, dashboard_admin, body, meant):
    problem = refused(post(dashboard, dashboard_admin, body), 422, "invalid-body")
    assert f"did you mean '{meant}'?" in problem["errors"][0]["message"]


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "1", "true"])
def test_a_body_that_is_no_object_is_refused(dashboard, dashboard_admin, content):
    answer = dashboard.post(
        REFRESH, headers=dashboard_admin, data=content, content_type="application/json"
    )
    refused(answer, 422, "invalid-body")


@pytest.mark.parametrize("content", ["{", "{'a':1}", "\xff", "{}{}", "[" * 5000, '{"force": NaN}'])
def test_a_body_that_is_no_json_is_refused(dashboard, dashboard_admin, content):
    answer = dashboard.post(
        REFRESH,
        headers=dashboard_admin,
        data=content.encode("latin-1"),
        content_type="application/json",
    )
    assert refused(answer, 400, "malformed-json")["errors"][0]["line"] == 1


def test_a_body_of_another_kind_is_refused(dashboard, dashboard_admin):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = dashboard.post(REFRESH, headers=dashboard_admin, data="{}", content_type=kind)
        refused(answer, 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused(dashboard, dashboard_admin):
    content = json.dumps({"source": "x" * 65536})
    answer = dashboard.post(
        REFRESH, headers=dashboard_admin, data=content, content_type="application/json"
    )
    assert refused(answer, 413, "body-too-large")["allowed"] == 65536


@pytest.mark.parametrize(
    "case_of_length",
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}, 411, "length-required"),
        ({"CONTENT_LENGTH": "100"}, 400, "malformed-request"),
        ({"CONTENT_LENGTH": "9999999999"}, 413, "body-too-large"),
    ],
)
def test_a_body_without_its_true_length_is_refused(dashboard, dashboard_admin, case_of_length):
    environ, status, slug = case_of_length
    answer = dashboard.post(
        REFRESH,
        headers=dashboard_admin,
        data="{}",
        content_type="application/json",
        environ_overrides=environ,
    )
    refused(answer, status, slug)
    assert len(dashboard.get(REFRESH, headers=dashboard_admin).json["jobs"]) == 1


def test_a_key_comes_as_bearer_or_by_its_own_header(client, admin, reader):
    key = admin["X-API-Key"]
    both = {"Authorization": f"Bearer {key}", "X-API-Key": key}
    for headers in (admin, {"Authorization": f"bearer {key}"}, both):
        assert client.get(REFRESH, headers=headers).status_code == 200
    differing = {"Authorization": f"Bearer {key}", **reader}
    refused(client.get(REFRESH, headers=differing), 400, "conflicting-credentials")


@pytest.mark.parametrize("address", ["/api/v1/items", "/health", "/openapi.json", "/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "assay_wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "clé"},
        {"Authorization": "Bearer nothing"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
    ],
)
def test_a_wrong_key_is_refused_on_public_routes_too(dashboard, address, headers):
    answer = dashboard.get(address, headers=headers)
    refused(answer, 401, "invalid-credential")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_is_in_no_record_and_no_log(client, admin, settings, events):
    post(client, admin)
    key = admin["X-API-Key"]
    kept = [path.read_bytes() for path in settings.state.rglob("*") if path.is_file()]
    assert not any(key.encode() in content for content in kept)
    assert key not in str(events)
    line = next(each for each in events if each["event"] == "request")
    assert line["key_id"] == key.split("_")[1]
    history = client.get(REFRESH, headers=admin).json["jobs"]
    assert history[0]["requested_by"] == [line["key_id"]]


def test_calls_that_come_while_one_waits_join_it(client, admin, busy, write_table):
    write_table("dim_items", items_named("A"))
    write_table("fact_forecast", forecast_columns("v2"))
    with busy():
        asked = [{"datasets": ["items"]}, {"datasets": ["forecasts"]}, {"datasets": ["items"]}]
        bodies = [post(client, admin, each, wait=0).json for each in asked]
        (job_id,) = {each["job_id"] for each in bodies}
        waiting = client.get(f"{REFRESH}/{job_id}", headers=admin).json
        assert (waiting["status"], len(waiting["requested_by"])) == ("triggered", 2)
    job = until_done(client, admin, job_id)
    assert job["generation"] == {"from": 1, "to": 2}
    outcomes = {each["name"]: each["outcome"] for each in job["datasets"]}
    assert outcomes == {"items": "loaded", "forecasts": "loaded", "inventory": "reused"}


def test_many_calls_at_once_are_few_jobs_and_all_are_answered(client, admin, settings, write_table):
    write_table("fact_forecast", forecast_columns("v2"))
    start = threading.Barrier(16)

    def call(_):
        start.wait()
        return post(Client(make_front(settings)), admin)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(16)))
    assert {each.status_code for each in answers} == {200}
    jobs = client.get(REFRESH, headers=admin).json["jobs"]
    assert len(jobs) <= 6
    assert {each["generation"]["to"] for each in jobs[:-1]} == {2}
    assert [each["job_id"] for each in jobs] == sorted((e["job_id"] for e in jobs), reverse=True)


def test_a_call_waits_no_longer_than_it_asked_for(client, admin, busy):
    with busy():
        started = time.monotonic()
        answer = client.post(REFRESH, headers={**admin, "Prefer": "respond-async, wait=1"})
        assert answer.status_code == 202
        assert 0.9 < time.monotonic() - started < 5
        for prefer in ("wait=0", "wait=-5", "wait", "wait=soon", "return=minimal"):
            answer = client.post(REFRESH, headers={**admin, "Prefer": prefer})
            assert answer.status_code == 202
    until_done(client, admin, answer.json["job_id"])


def test_a_job_that_nobody_knows_is_not_found(dashboard, dashboard_admin):
    for name in ("job_0", "nothing", "..", "%2E%2E%2Fkeys", "job_0%00"):
        refused(dashboard.get(f"{REFRESH}/{name}", headers=dashboard_admin), 404, "not-found")


def table(change):
    """Give a mistake that stands in the forecasts: its columns as ``change`` leaves them."""

    def make(_gold, write_table):
        columns = forecast_columns()
        change(columns)
        write_table("fact_forecast", columns)

    return make


def text(old, new):
    """Give a mistake that stands in the registry."""
    return lambda gold, _write: replace_text(gold.parent / "datasets.yaml", old, new)


def replace_text(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def truncate(gold, _write=None):
    path = gold / "fact_forecast.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def link_outside(gold, _write):
    path = gold / "fact_forecast.parquet"
    path.rename(gold.parent / "outside.parquet")
    path.symlink_to(gold.parent / "outside.parquet")


def twice(columns):
    for name, values in columns.items():
        columns[name] = pa.concat_arrays([pa.array(values)] * 2)


def without(name):
    return lambda columns: columns.pop(name)


def null_in(name):
    def change(columns):
        columns[name] = pa.array([None, *pa.array(columns[name]).to_pylist()[1:]])

    return change


REGISTRY_ERROR = "invalid-registry"
SAME_ROUTE = "{items: {path: /forecasts/summary}}"
MISTAKES = {
    "the registry is no YAML": (text("keys: [item_id]", "keys: [item_id"), REGISTRY_ERROR),
    "a source nobody declares": (text("source: gold", "source: glod"), REGISTRY_ERROR),
    "an endpoint nobody offers": (text("[inventory]", "[inventry]"), REGISTRY_ERROR),
    "two endpoints on one route": (text("[items]", SAME_ROUTE), REGISTRY_ERROR),
    "a column the endpoint needs is gone": (table(without("actual")), REGISTRY_ERROR),
    "the file is gone": (lambda gold, _: (gold / "dim_items.parquet").unlink(), "source-refused"),
    "the file is cut": (truncate, "source-refused"),
    "the file is a link": (link_outside, "source-refused"),
    "a key stands twice": (table(twice), "table-refused"),
    "a key is null": (table(null_in("item_id")), "table-refused"),
    "a type is not the declared one": (
        text("    time: date\n", "    time: date\n    columns: {forecast: {type: integer}}\n"),
        "table-refused",
    ),
    "a value is above its bound": (
        text("    time: date\n", "    time: date\n    columns: {forecast: {maximum: 10}}\n"),
        "table-refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_failed_refresh_leaves_every_byte_as_it_was(client, admin, mistake, request):
    gold, write = (request.getfixturevalue(name) for name in ("gold", "write_table"))
    before = served(client)
    make, slug = MISTAKES[mistake]
    make(gold, write)
    answer = post(client, admin)
    problem = refused(answer, 422, slug)
    assert str(gold.parent) not in answer.text
    assert served(client) == before
    assert served(Client(make_front(request.getfixturevalue("settings")))) == before
    if "job_id" in problem:
        job = client.get(f"{REFRESH}/{problem['job_id']}", headers=admin).json
        assert (job["status"], job["problem"]["type"]) == ("failed", problem["type"])
        assert client.get("/health").json["generation"]["last_refresh"]["status"] == "failed"


def test_a_mistake_of_an_endpoint_is_told_with_its_place(client, admin, registry_file):
    replace_text(registry_file, "[inventory]", "[inventry]")
    (error,) = refused(post(client, admin), 422, "invalid-registry")["errors"]
    line = registry_file.read_text().splitlines()[error["line"] - 1]
    assert (error["file"], line[error["column"] - 1 :]) == ("datasets.yaml", "inventry]")


def test_after_a_failure_a_refresh_of_what_was_repaired_succeeds(client, admin, gold, write_table):
    truncate(gold)
    refused(post(client, admin), 422, "source-refused")
    write_table("fact_forecast", forecast_columns("v2"))
    assert post(client, admin).json["generation"] == {"from": 1, "to": 2}
    assert client.get(SERIES).json["metadata"]["model_version"] == "v2"


def test_every_dataset_that_fails_is_told(client, admin, gold):
    truncate(gold)
    (gold / "dim_items.parquet").unlink()
    job_id = post(client, admin).json["job_id"]
    job = client.get(f"{REFRESH}/{job_id}", headers=admin).json
    outcomes = {each["name"]: each["outcome"] for each in job["datasets"]}
    assert outcomes == {"items": "failed", "forecasts": "failed", "inventory": "reused"}


STORES = """\
  stores:
    title: Stores
    source: gold
    path: dim_stores.parquet
    keys: [item_id]
    lineage: {dataset_id: dataset_id, model_version: {value: none}, generated_at: updated_at}
    endpoints: {items: {path: /stores}}
"""


def test_a_dataset_added_by_yaml_is_served_without_a_restart(
    client, admin, registry_file, write_table
):
    write_table("dim_stores", items_named("S-1", "S-2"))
    registry_file.write_text(REGISTRY + STORES)
    assert client.get("/api/v1/stores").status_code == 404
    job = post(client, admin, {"datasets": ["items"]}).json
    assert {"name": "stores", "outcome": "added"}.items() <= job["datasets"][-1].items()
    assert client.get("/api/v1/stores").json["total"] == 2
    assert client.get("/api/v1/datasets/stores").json["title"] == "Stores"
    assert "/api/v1/stores" in client.get("/openapi.json").json["paths"]
    part = client.get("/api/v1/datasets/stores/openapi.json").json["paths"]
    assert {"/api/v1/stores", "/api/v1/datasets/stores/rows"} <= set(part)
    assert all("stores" in path for path in part)
    assert "stores/openapi.json" in client.get("/docs/start.js").text


def test_a_dataset_taken_out_of_the_yaml_is_gone(client, admin, registry_file):
    registry_file.write_text(REGISTRY[: REGISTRY.index("  inventory:")])
    job = post(client, admin).json
    assert ("inventory", "removed") in [(d["name"], d["outcome"]) for d in job["datasets"]]
    for address in ("/api/v1/inventory/A", "/api/v1/datasets/inventory"):
        refused(client.get(address), 404, "not-found")
    assert "inventory" not in client.get("/openapi.json").text
    assert list(client.get("/health").json["datasets"]) == ["items", "forecasts"]


def test_a_column_that_comes_is_served_and_documented(client, admin, write_table):
    write_table("fact_inventory", {**inventory_columns(), "current_stock": pa.array([1.5] * 6)})
    post(client, admin)
    assert client.get("/api/v1/inventory/A").json["current_stock"] == 1.5
    schema = client.get("/openapi.json").json["components"]["schemas"]["inventory.inventory"]
    assert schema["properties"]["current_stock"]["type"] == ["number", "null"]


def test_a_broken_registry_is_named_by_health_until_it_is_repaired(client, registry_file):
    assert client.get("/health").json["status"] == "healthy"
    registry_file.write_text(BROKEN)
    health = client.get("/health")
    assert (health.status_code, health.json["status"]) == (200, "degraded")
    assert health.json["registry"].startswith("broken")
    assert "datasets.yaml" in health.json["registry"]
    assert str(registry_file.parent) not in health.text
    registry_file.write_text(REGISTRY)
    assert client.get("/health").json["status"] == "healthy"
    registry_file.unlink()
    assert client.get("/health").json["status"] == "degraded"


def test_a_source_that_is_not_reachable_is_told_by_health(client, gold):
    gold.rename(gold.parent / "away")
    health = client.get("/health").json
    assert (health["status"], health["parquet_access"]) == ("degraded", "unreachable")


@pytest.fixture
def empty(settings, registry_file):
    """A client of a service that has nothing to serve yet."""
    assert registry_file.exists()
    return Client(make_front(settings))


def test_before_the_first_generation_nothing_is_served_but_said_so(empty, admin):
    for address in ("/api/v1/datasets", "/api/v1/items", SERIES, "/health", "/health/ready"):
        assert empty.get(address).status_code == 503
    problem = refused(empty.get("/api/v1/datasets"), 503, "no-generation")
    assert problem["detail"]
    assert empty.get("/api/v1/datasets").headers["Retry-After"] == "5"
    assert empty.get("/health").json["status"] == "unhealthy"
    assert empty.get("/health/live").status_code == 200
    assert empty.get(REFRESH, headers=admin).json == {"jobs": []}


def test_the_first_refresh_makes_it_ready(empty, admin):
    assert post(empty, admin).json["generation"] == {"from": None, "to": 1}
    assert empty.get("/health/ready").json == {"status": "ready"}
    assert empty.get(SERIES).status_code == 200


def test_a_refresh_leaves_no_copies_behind(client, admin, settings, write_table):
    write_table("fact_forecast", forecast_rows(("A", 1, 1, 1)))
    post(client, admin)
    state = settings.state
    with Store.at(state).lock("build"):
        # The builder tidies up after it has said that it is done.
        pass
    assert list((state / "staging").iterdir()) == []
    assert [path.name for path in (state / "tables").iterdir() if "unfinished" in path.name] == []
    assert [path.name for path in state.rglob("*.part")] == []
