"""Kept Answers leave from the front as they would from behind it, where nothing changed."""

import gc
import gzip
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from weakref import ref

import pytest
from flask import Flask
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from app.access import ANONYMOUS
from app.http import AFTER, VISIT, Visit
from app.service import Worker, make_front
from tests.conftest import ROOT, forecast_columns

SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
ADDRESSES = [
    SERIES,
    "/api/v1/items?q=a&limit=2",
    "/api/v1/datasets",
    "/api/v1/datasets/forecasts/rows?limit=3&sort=-forecast",
    "/api/v1/datasets/forecasts/aggregate?group_by=item_id",
    "/api/v1/datasets/items/contract",
]
CHANGING = {"X-Request-Id", "Date", "Server-Timing"}


@pytest.fixture
def front(dashboard_settings):
    """A client of a front of this test's own, which has kept nothing yet."""
    return Client(make_front(dashboard_settings))


def told(answer):
    headers = {n: v for n, v in answer.headers.items() if n not in CHANGING}
    return answer.status_code, headers, answer.data


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("asked", [{}, {"Accept-Encoding": "gzip"}, {"Accept": "*/*"}])
def test_a_kept_answer_is_the_same_from_the_front_as_from_behind_it(front, address, asked):
    made, kept = (front.get(address, headers=asked) for _ in range(2))
    assert told(kept) == told(made)
    assert front.head(address, headers=asked).headers["Content-Length"] == str(len(made.data))
    tag = {**asked, "If-None-Match": made.headers["ETag"]}
    confirmed = [front.get(address, headers=tag) for _ in range(2)]
    assert {each.status_code for each in confirmed} == {304}
    assert {each.headers["ETag"] for each in confirmed} == {made.headers["ETag"]}
    assert front.get(address, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_a_server_may_have_the_line_written_when_the_answer_has_left(front, events):
    after = []
    asked = EnvironBuilder(SERIES, environ_overrides={AFTER: after}).get_environ()
    _, status, _ = run_wsgi_app(front.application, asked)
    assert (status, events) == ("200 OK", [])
    for each in after:
        each()
    assert [each["event"] for each in events] == ["request"]


def test_questions_that_are_the_same_share_one_answer(front, events):
    front.get("/api/v1/items?q=a&limit=2")
    front.get("/api/v1/items?limit=2&q=a&offset=0")
    requests = [each for each in events if each["event"] == "request"]
    assert [each["cache"] for each in requests] == ["made", "kept"]


def test_a_kept_answer_is_logged_like_any_other(front, events):
    for _ in range(2):
        front.get(SERIES)
    made, kept = (each for each in events if each["event"] == "request")
    assert (made["cache"], kept["cache"]) == ("made", "kept")
    same = ("route", "status", "method", "dataset", "dataset_id", "model_version", "generation")
    assert [kept[name] for name in same] == [made[name] for name in same]


def test_a_kept_answer_does_not_outlive_its_generation(client, write_table, refresh):
    before = client.get(SERIES).json
    assert client.get(SERIES).json == before
    write_table("fact_forecast", forecast_columns("v2", factor=2.0))
    assert refresh().status == "succeeded"
    after = client.get(SERIES)
    assert after.json["metadata"]["generation"] == int(after.headers["X-Generation"]) == 2
    assert after.json["timeseries"][0]["forecast"] == 2 * before["timeseries"][0]["forecast"]


def test_a_pinned_answer_says_which_generation_it_is_of(client, write_table, refresh):
    write_table("fact_forecast", forecast_columns("v2"))
    assert refresh().status == "succeeded"
    for _ in range(2):
        assert client.get(f"{SERIES}&generation=1").headers["X-Generation"] == "1"


def test_a_wrong_key_is_refused_whatever_is_kept(dashboard):
    assert dashboard.get(SERIES).status_code == 200
    assert dashboard.get(SERIES, headers={"X-API-Key": "assay_wrong"}).status_code == 401
    assert dashboard.get(SERIES, headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_kept_answer_does_not_hide_that_its_dataset_has_become_late(
    registry_file, write_table, refresh, settings
):
    made_at = datetime.now(UTC) - timedelta(minutes=1) + timedelta(seconds=7)
    columns = forecast_columns()
    write_table("fact_forecast", {**columns, "generated_at": [made_at] * len(columns["date"])})
    place = "    endpoints:\n      timeseries"
    late = "    freshness: {warn_after: {count: 1, period: minute}}\n"
    registry_file.write_text(registry_file.read_text().replace(place, late + place))
    assert refresh().status == "succeeded"
    client = Client(make_front(settings))
    assert client.get(SERIES).json["metadata"]["freshness"] == "fresh"
    tag = client.get(SERIES).headers["ETag"]
    assert set(catalogued(client)) == {"fresh"}
    while datetime.now(UTC) < made_at + timedelta(minutes=1, seconds=0.1):
        assert client.get(SERIES).status_code == 200
        time.sleep(0.05)
    assert client.get(SERIES, headers={"If-None-Match": tag}).status_code == 200
    assert client.get(SERIES).json["metadata"]["freshness"] == "warn"
    assert catalogued(client).count("warn") == 1


def catalogued(client):
    """Give how fresh the datasets are, as the catalogue has it."""
    return [each["freshness"] for each in client.get("/api/v1/datasets").json["datasets"]]


def test_an_encoding_is_chosen_by_the_client_and_told(dashboard):
    address = "/api/v1/datasets"
    plain = dashboard.get(address)
    answer = dashboard.get(address, headers={"Accept-Encoding": "gzip;q=0.5, identity;q=0.1"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == plain.data
    assert answer.headers["ETag"] != plain.headers["ETag"]
    assert {"Accept", "Accept-Encoding"} <= set(answer.headers["Vary"].split(", "))
    for nothing in ("", "identity", "deflate", "gzip;q=0"):
        untouched = dashboard.get(address, headers={"Accept-Encoding": nothing})
        assert "Content-Encoding" not in untouched.headers
        assert untouched.data == plain.data


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-31", {}),
        ("/api/v1/datasets/items/rows?limit=1", {"Accept-Encoding": "gzip, zstd;q=0.5"}),
        ("/api/v1/datasets/items/rows?limit=1", {"Accept": ","}),
        ("/api/v1/datasets/items/rows?limit=2", {"If-None-Match": "*"}),
        ("/api/v1/datasets/items/rows.csv", {}),
        ("/api/v1/datasets/items/rows.csv", {"Range": "bytes=2-9"}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_endpoint_answers_alike_with_flask_and_without(
    dashboard_settings, path, headers, method
):
    worker, answers = Worker(dashboard_settings), []
    current = worker.current.pin()
    app = worker.app_for(current)
    for asked in (app.wsgi_app, partial(Flask.wsgi_app, app)):
        environ = EnvironBuilder(path, method=method, headers=headers).get_environ()
        environ[VISIT] = Visit("r-1", ANONYMOUS, current, today=current)
        body, status, told = run_wsgi_app(asked, environ)
        told.remove("Server-Timing")
        answers.append((status, sorted(told), b"".join(body) if method == "GET" else b""))
    assert answers[0] == answers[1]
    assert answers[0][0][:3] in {"200", "206", "304"}


@pytest.mark.usefixtures("client")
def test_what_a_request_held_goes_with_it_and_does_not_wait_for_the_collector(settings):
    front, stock = make_front(settings), "/api/v1/inventory/A"
    gc.disable()
    try:
        for address, method, expected in (
            (SERIES, "GET", 200),
            (stock, "GET", 200),
            (stock, "GET", 200),
            ("/api/v1/items?limit=0", "GET", 400),
            ("/api/v1/inventory/nosuch", "GET", 404),
            ("/nowhere", "GET", 404),
            (stock, "PUT", 405),
        ):
            environ = EnvironBuilder(address, method=method).get_environ()
            held = environ["test.held"] = type("Held", (), {})()
            _, status, _ = run_wsgi_app(front, environ)
            assert int(status[:3]) == expected
            seen = ref(held)
            del environ, held
            assert seen() is None, (method, address)
    finally:
        gc.enable()


def test_the_app_of_an_older_shape_goes_though_the_collector_comes_rarely(
    settings, registry_file, refresh
):
    text, apps = registry_file.read_text(), []
    worker = Worker(settings)
    gc.disable()
    try:
        for title in ("Items", "Others", "More", "Last"):
            registry_file.write_text(text.replace("title: Items", f"title: {title}"))
            refresh()
            apps.append(ref(worker.app_for(worker.current.pin())))
        assert [app() is None for app in apps] == [True, True, False, False]
    finally:
        gc.enable()


STARTED = """
import gc
from app.service import front_from_environment
front_from_environment()
print(len(gc.get_objects()) < gc.get_freeze_count())
gc.collect()
seen = []
gc.callbacks.append(lambda phase, _: seen.append(phase))
kept = [[] for _ in range(20_000)]
print(seen)
kept += [[] for _ in range(40_000)]
print(seen)
"""


def test_a_worker_collects_rarely_and_looks_never_through_its_modules(settings):
    told = {**os.environ, **settings.environment()}
    ran = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, env=told, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout == "True\n[]\n['start', 'stop']\n"
