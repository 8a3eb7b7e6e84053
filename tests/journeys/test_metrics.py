"""Figures for Prometheus: one scrape tells those of all workers, whichever of them gets it."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from app.generation import Store, worker_marks
from app.refresh import Jobs
from app.service import Worker, make_front
from tests.conftest import item_columns, key_headers
from tests.journeys.conftest import builders, until

ITEMS = "/api/v1/items"
REFRESH = "/api/v1/data/refresh"


def samples(text):
    """Give the figures by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found, "two figures of one name"
            found[key] = sample.value
    return found


def figures(client, **options):
    answer = client.get("/metrics", **options)
    assert answer.status_code == 200
    return samples(answer.text)


def figure(found, name, **labels):
    """Add up the figures of that name and these labels; None where there are none."""
    fit = [
        value
        for (own, *given), value in found.items()
        if own == name and labels.items() <= dict(given).items()
    ]
    return sum(fit) if fit else None


def test_before_the_first_refresh_nothing_is_told_of_data(settings):
    found = figures(Client(make_front(settings)))
    assert figure(found, "assay_health", status="unhealthy") == 1
    assert figure(found, "assay_refreshes_total") == 0
    assert not any("generation" in key[0] or "dataset" in key[0] for key in found)
    assert not any("timestamp" in key[0] for key in found)


def test_the_last_success_and_the_last_failure_are_told(client, refresh, write_table):
    first = figures(client)
    ended = "assay_refresh_last_{}_timestamp_seconds"
    assert figure(first, "assay_generation") == 1
    assert abs(figure(first, ended.format("success")) - time.time()) < 60
    assert 0 <= figure(first, "assay_generation_age_seconds") < 60
    assert figure(first, "assay_refresh_last_duration_seconds") > 0
    assert figure(first, ended.format("failure")) is None
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    assert refresh().status == "failed"
    second = figures(client)
    assert figure(second, ended.format("failure")) >= figure(first, ended.format("success"))
    assert figure(second, ended.format("success")) == figure(first, ended.format("success"))
    assert figure(second, "assay_generation") == 1


def test_refreshes_are_counted_by_how_they_ended(client, settings, admin, refresh, write_table):
    refresh()
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    refresh()
    refresh()
    with Store.at(settings.state).lock("build"):
        job = client.post(REFRESH, headers=admin).json["job_id"]
        (builder,) = until(lambda: builders(settings))
        builder.kill()
        until(lambda: Jobs(Store.at(settings.state)).job(job).finished)
    # It is counted once it is closed, so that no end is counted that nobody can look up.
    until(lambda: figure(figures(client), "assay_refreshes_total", outcome="interrupted"))
    found = figures(client)
    told = {
        outcome: figure(found, "assay_refreshes_total", outcome=outcome)
        for outcome in ("succeeded", "unchanged", "failed", "interrupted")
    }
    assert told == {"succeeded": 1, "unchanged": 1, "failed": 2, "interrupted": 1}
    # Who looks again counts nothing again.
    client.get(REFRESH, headers=admin)
    assert figure(figures(client), "assay_refreshes_total") == 5


def asked(found, **labels):
    return figure(found, "assay_requests_total", **labels) or 0


@pytest.mark.parametrize(
    ("status", "route", "request_"),
    [
        (200, ITEMS, {"path": ITEMS}),
        (400, ITEMS, {"path": f"{ITEMS}?limt=3"}),
        (400, "none", {"path": ITEMS, "headers": {"X-API-Key": "a", "Authorization": "Bearer b"}}),
        (401, "none", {"path": ITEMS, "headers": {"X-API-Key": "wrong"}}),
        (404, "none", {"path": "/no/where/9"}),
        (404, "none", {"path": "/\u2028\n{'a'}\x1b[2J"}),
        (405, "none", {"path": ITEMS, "method": "PUT"}),
        (411, "none", {"path": ITEMS, "headers": {"Transfer-Encoding": "chunked"}}),
        (414, "none", {"path": f"{ITEMS}?q=" + "x" * 9_000}),
        (431, "none", {"path": ITEMS, "headers": {"X-Long": "x" * 20_000}}),
    ],
)
def test_a_request_is_counted_wherever_it_ends(dashboard, status, route, request_):
    before = figures(dashboard)
    assert dashboard.open(**request_).status_code == status
    after = figures(dashboard)
    labels = {"status": str(status), "route": route}
    assert asked(after, **labels) == asked(before, **labels) + 1
    # And one scrape.
    assert asked(after) == asked(before) + 2


def test_what_leaves_before_flask_is_counted_as_the_rest(client, settings):
    first = client.get(ITEMS)
    before = figures(client)
    for _ in range(3):
        assert client.get(ITEMS).status_code == 200
    for _ in range(2):
        unchanged = client.get(ITEMS, headers={"If-None-Match": first.headers["ETag"]})
        assert unchanged.status_code == 304
    after = figures(client)
    for status, more in (("200", 3), ("304", 2)):
        labels = {"route": ITEMS, "dataset": "items", "method": "GET", "status": status}
        assert asked(after, **labels) == asked(before, **labels) + more
    outcomes = {
        outcome: figure(after, "assay_answers_total", outcome=outcome)
        for outcome in ("made", "kept", "revalidated")
    }
    assert outcomes == {"made": 1, "kept": 3, "revalidated": 2}


@pytest.mark.usefixtures("client")
def test_who_is_over_the_limit_is_counted(settings, admin):
    front = Client(make_front(replace(settings, requests_per_minute=2)))
    assert [front.get(ITEMS).status_code for _ in range(3)] == [200, 200, 429]
    assert asked(figures(front, headers=admin), status="429") == 1


def test_seconds_are_a_histogram(client):
    for _ in range(5):
        client.get(ITEMS)
    found = figures(client)
    counts = {
        dict(key[1:])["le"]: value
        for key, value in found.items()
        if key[0] == "assay_request_seconds_bucket" and dict(key[1:])["route"] == ITEMS
    }
    assert list(counts) == [
        *("0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5"),
        *("1.0", "2.5", "5.0", "10.0", "+Inf"),
    ]
    assert list(counts.values()) == sorted(counts.values())
    assert counts["+Inf"] == figure(found, "assay_request_seconds_count", route=ITEMS) == 5
    assert 0 < figure(found, "assay_request_seconds_sum", route=ITEMS) < 10


def test_what_clients_make_up_makes_no_series(client):
    def series(found):
        return {key for key in found if key[0] == "assay_requests_total"}

    def strange(number):
        client.open(ITEMS, method=f"X{number}")
        client.get(f"/nowhere/{number}")
        client.get(f"/api/v1/items/{number}/timeseries?start=2026-01-01&end=2026-01-02")
        client.get(f"/api/v1/datasets/{number}")
        client.get(ITEMS, headers={"X-Request-Id": str(number), "X-API-Key": str(number)})

    strange(0)
    client.get("/metrics")
    before = series(figures(client))
    for number in range(1, 100):
        strange(number)
    # Guesses are refused after a while, which is one more.
    new = series(figures(client)) - before
    assert len(new) <= 1, new


def test_datasets_are_told_by_their_tables(client, write_table, refresh, registry_file):
    found = figures(client)
    assert figure(found, "assay_dataset_rows", dataset="forecasts") == 20
    newest = figure(found, "assay_dataset_newest_timestamp_seconds", dataset="items")
    assert newest == 1767312000
    assert figure(found, "assay_dataset_status", dataset="items", status="fresh") == 1
    late = "path: dim_items.parquet\n    freshness: {error_after: {count: 2, period: day}}"
    text = registry_file.read_text().replace("path: dim_items.parquet", late)
    registry_file.write_text(text)
    assert refresh().status == "succeeded"
    found = figures(client)
    told = {
        status: figure(found, "assay_dataset_status", dataset="items", status=status)
        for status in ("fresh", "warn", "error", "degraded")
    }
    assert told == {"fresh": 0, "warn": 0, "error": 1, "degraded": 0}
    assert figure(found, "assay_health", status="degraded") == 1


def test_a_dataset_behind_a_scope_is_told_to_those_only_who_may_read_it(
    settings, client, admin, registry_file, refresh
):
    text = registry_file.read_text()
    registry_file.write_text(
        text.replace("path: fact_inventory", "access: stock\n    path: fact_inventory")
    )
    assert refresh().status == "succeeded"
    stock = key_headers(settings, "stock")
    for headers in ({}, stock, admin):
        client.get("/api/v1/inventory/A", headers=headers)
    own = {"route": "/api/v1/inventory/{id}", "dataset": "inventory"}
    for headers in (stock, admin):
        found = figures(client, headers=headers)
        assert asked(found, **own, status="200") == 2
        assert asked(found, **own, status="404") == 1
        assert figure(found, "assay_dataset_rows", dataset="inventory") == 6
    for headers in ({}, key_headers(settings, "refresh")):
        assert "inventory" not in client.get("/metrics", headers=headers).text


def test_bytes_are_told(client, settings):
    client.get(ITEMS)
    before = figures(client)
    client.get("/api/v1/datasets/items/rows.csv")
    after = figures(client)
    assert figure(after, "assay_kept_bytes") > 0
    spool = [path.stat().st_size for path in (settings.state / "spool").iterdir()]
    assert figure(before, "assay_spool_bytes") == 0
    assert figure(after, "assay_spool_bytes") == sum(spool) > 0
    tables = [path.stat().st_size for path in (settings.state / "tables").iterdir()]
    assert figure(after, "assay_tables_bytes") == sum(tables) > 0
    assert figure(after, "assay_free_bytes") > 0


def test_queries_that_run_and_wait_are_told(settings, registry_file, refresh):
    assert refresh().status == "succeeded"
    worker = Worker(replace(settings, queries_running=1))
    generation, gauges = worker.current.pin(), worker.services.counts.gauges
    queue, entered, leave = generation.turns.questions, threading.Event(), threading.Event()

    def work():
        with queue.turn():
            entered.set()
            assert leave.wait(30)

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work) for _ in range(3)]
        assert entered.wait(30)
        until(lambda: gauges()["questions_waiting"] == 2)
        assert gauges()["questions_running"] == 1
        leave.set()
        for each in working:
            each.result()
    assert (gauges()["questions_running"], gauges()["questions_waiting"]) == (0, 0)


def fetch(url, path, headers=()):
    """Give status and text; each call is a connection of its own, to whichever worker takes it."""
    asking = Request(url + path, headers={**dict(headers), "Connection": "close"})
    try:
        with urlopen(asking, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, ""


def scrape(url):
    status, text = fetch(url, "/metrics")
    assert status == 200
    return samples(text)


@pytest.mark.usefixtures("registry_file")
def test_one_scrape_tells_what_all_workers_have_counted(server, settings):
    url = server(workers=3).url
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fetch(url, ITEMS)[0], range(300)))
    assert answers == [200] * 300
    until(lambda: asked(scrape(url), route=ITEMS) == 300, seconds=10)
    until(lambda: figure(scrape(url), "assay_workers") == 3, seconds=10)
    # Every worker tells the same.
    for _ in range(20):
        found = scrape(url)
        assert asked(found, route=ITEMS, status="200") == 300
        assert figure(found, "assay_workers") == 3
        assert figure(found, "assay_request_seconds_count", route=ITEMS) == 300
    kept = figure(found, "assay_answers_total", outcome="kept")
    assert kept + figure(found, "assay_answers_total", outcome="made") == 300


@contextmanager
def asking(url):
    """Have readers ask all the time; gives what they have been answered."""
    stop, answered = threading.Event(), []

    def ask():
        while not stop.is_set():
            with suppress(URLError, OSError):
                answered.append(fetch(url, ITEMS)[0])

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(ask)
        try:
            yield answered
        finally:
            stop.set()


def others(store, mark):
    return [each for each in worker_marks(store) if each["id"] != mark["id"]]


@pytest.mark.usefixtures("registry_file")
def test_figures_never_go_back_when_a_worker_is_killed(server, settings):
    url, store, seen = server(workers=2).url, Store.at(settings.state), []

    def look(times):
        """Scrape so often; a connection that is cut is no scrape."""
        enough = len(seen) + times
        while len(seen) < enough:
            with suppress(URLError, OSError):
                seen.append(asked(scrape(url), route=ITEMS, status="200"))

    with asking(url) as answered:
        look(20)
        # One only: the service takes two within seconds for a loop of crashes, and ends.
        killed = worker_marks(store)[0]
        os.kill(killed["pid"], signal.SIGKILL)
        look(20)
        until(lambda: len(others(store, killed)) == 2, seconds=60)
        look(20)
    assert seen == sorted(seen)
    until(lambda: figure(scrape(url), "assay_workers") == 2, seconds=60)
    # What a worker counted in its last second is lost with it; a cut answer may be counted.
    count = until(lambda: asked(scrape(url), route=ITEMS, status="200"))
    assert 0.2 * len(answered) < count <= len(answered) + 10


@pytest.mark.usefixtures("registry_file")
def test_counts_outlive_the_service(server, settings):
    first = server(workers=2)
    for _ in range(10):
        fetch(first.url, ITEMS)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(timeout=30) == 0
    second = server(workers=2)
    assert asked(scrape(second.url), route=ITEMS) == 10
