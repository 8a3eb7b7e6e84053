"""The bars of a refresh that can be trusted: short here, in full length with ``--soak``."""

import json
import os
import random
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from itertools import pairwise

import psutil
import pyarrow as pa
import pytest

from app.dataset import Source
from app.errors import SourceError
from app.generation import Store
from app.refresh.copying import copy_files
from app.registry import read_registry
from tests.conftest import REGISTRY, forecast_columns
from tests.history import NO_FAULTS, Refreshed, check
from tests.journeys.test_storm import Storm, drawn, marked, percentile, refresh_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENOUGH = 10


class ForecastStorm(Storm):
    """Readers of forecasts alone: the producer writes one file after the other."""

    def drawn(self, draw):
        address, days = drawn(draw)
        return (address, days) if "items?" not in address else self.drawn(draw)


@dataclass
class Refreshers:
    """Threads that refresh new data again and again, and what came of each call."""

    port: int
    admin: dict
    over: threading.Event
    made: list = field(default_factory=list)
    answered: list = field(default_factory=list)

    def call(self):
        while not self.over.is_set():
            try:
                with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
                    headers = {**self.admin, "Prefer": "wait=30"}
                    connection.request("POST", "/api/v1/data/refresh", headers=headers)
                    answer = connection.getresponse()
                    job = json.loads(answer.read())
            except (OSError, HTTPException):
                time.sleep(0.1)
                continue
            self.answered.append((time.monotonic(), answer.status, job))


def write_marked(write_table, marker):
    for name, columns in marked(marker).items():
        write_table(name, columns)


def marks_of_generations(settings):
    """Give the mark of every kept Generation, by its number: the dataset_id of all its rows."""
    store = Store(settings.state)
    manifests = [store.manifest(f"{number:08d}.json") for number in store.numbers()]
    return {each.number: float(each.tables["forecasts"].dataset_ids[0]) for each in manifests}


@pytest.mark.usefixtures("registry_file")
@pytest.mark.parametrize("killing", [False, True], ids=["storm", "storm with kills"])
def test_a_storm_of_refreshes_shows_no_reader_a_wrong_answer(
    server, admin, write_table, settings, soak, killing
):
    write_marked(write_table, 1000)
    running = server(workers=3)
    port = int(running.url.rpartition(":")[2])
    storm = ForecastStorm(port)
    refreshers = Refreshers(port, admin, storm.over)
    threads = readers(storm, 64 if soak else 24, tolerant=killing)
    threads += [threading.Thread(target=refreshers.call, daemon=True) for _ in range(4)]
    producer = threading.Thread(target=produce, args=(write_table, storm.over), daemon=True)
    killer = threading.Thread(target=kill_some, args=(running, settings, storm.over), daemon=True)
    threads += [producer, *([killer] if killing else [])]
    for thread in threads:
        thread.start()
    rage(refreshers, seconds=60 if soak else 10)
    storm.over.set()
    for thread in threads:
        thread.join(60)
    judge(storm, refreshers, settings, killing)
    after, _ = refresh_once(port, admin, write_table, 900_000)
    assert after.marker == 900_000
    # A call that nobody waited for may still be at work.
    until = time.monotonic() + 15
    while list((settings.state / "staging").iterdir()) and time.monotonic() < until:
        time.sleep(0.1)
    assert list((settings.state / "staging").iterdir()) == []


def rage(refreshers, seconds):
    """Go on for so long, and on a slow machine until enough calls were answered to judge by."""
    started = time.monotonic()
    time.sleep(seconds)
    while len(successes(refreshers)) <= ENOUGH and time.monotonic() < started + 5 * seconds:
        time.sleep(0.2)


def successes(refreshers):
    return [(returned, job) for returned, status, job in refreshers.answered if status == 200]


def readers(storm, count, *, tolerant):
    def run(look):
        while not storm.over.is_set():
            try:
                with closing(HTTPConnection("127.0.0.1", storm.port, timeout=30)) as connection:
                    look(connection)
            except (OSError, HTTPException) as error:
                storm.failures.append(error)
                if not tolerant:
                    return

    looks = [*([storm._read] * count), storm._look]  # noqa: SLF001 - the storm's own readers
    return [threading.Thread(target=run, args=(look,), daemon=True) for look in looks]


def produce(write_table, over):
    marker = 1000
    while not over.wait(0.3):
        marker += 1
        with suppress(FileNotFoundError):
            write_marked(write_table, marker)


def kill_some(running, settings, over):
    draw = random.Random(7)
    while not over.wait(4):
        workers = [p for p in psutil.Process(running.process.pid).children() if is_worker(p)]
        builders = [p for p in psutil.process_iter() if is_builder(p, settings)]
        victims = builders if builders and draw.random() < 0.5 else workers
        with suppress(psutil.Error, IndexError):
            draw.choice(victims).send_signal(signal.SIGKILL)


def is_worker(process):
    with suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def is_builder(process, settings):
    with suppress(psutil.Error):
        ours = process.environ().get("ASSAY_STATE") == str(settings.state)
        return ours and process.cmdline()[1:] == ["-m", "app.refresh"]
    return False


def judge(storm, refreshers, settings, killing):
    """Hold what was seen against the marks of the Generations, which the Store still keeps."""
    marks = marks_of_generations(settings)
    done = successes(refreshers)
    made = [
        Refreshed(returned, job["generation"]["to"], marks[job["generation"]["to"]])
        for returned, job in done
        if job["generation"]["to"] in marks
    ]
    known = {each.generation for each in made}
    made += [Refreshed(float("inf"), n, mark) for n, mark in marks.items() if n not in known]
    took = [each.ended - each.started for each in storm.reads]
    cut = len(storm.failures) / max(1, len(storm.reads))
    ended = sorted(each.ended for each in storm.reads)
    silence = max(later - sooner for sooner, later in pairwise(ended))
    sys.stdout.write(
        f"\n{len(storm.reads)} reads, p50 {1000 * percentile(took, 0.5):.0f} ms, p99"
        f" {1000 * percentile(took, 0.99):.0f} ms; {len(done)} calls answered with success of"
        f" {len(refreshers.answered)}, {len(marks)} commits; faults"
        f" {check(storm.reads, made).counts()},"
        f" statuses {dict(storm.statuses)}, cut connections {cut:.2%},"
        f" longest silence {silence:.2f} s\n"
    )
    assert check(storm.reads, made).counts() == NO_FAULTS
    assert {status for status in storm.statuses if status >= 500} == set()
    assert cut <= (0.03 if killing else 0)
    assert silence <= 2
    assert len(done) > ENOUGH


WIDE = """
  wide:
    source: gold
    path: wide.parquet
    keys: [k]
    lineage:
      dataset_id: {value: run}
      model_version: {value: none}
      generated_at: {value: 2026-01-01T00:00:00Z}
"""
WIDTH = 32


def write_wide(write_table, rows):
    """Write new numbers that nothing can compress: ``rows`` times 256 bytes."""
    numbers = {
        f"c{n}": pa.Array.from_buffers(pa.int64(), rows, [None, pa.py_buffer(os.urandom(8 * rows))])
        for n in range(WIDTH)
    }
    write_table("wide", {"k": pa.array(range(rows)), **numbers}, compression="none")


def test_many_refreshes_leave_nothing_behind(
    server, admin, write_table, settings, registry_file, soak
):
    registry_file.write_text(registry_file.read_text() + WIDE)
    rows, times = (400_000, 200) if soak else (4_000, 20)
    write_wide(write_table, rows)
    running = server(workers=1, keep_seconds=0)
    port = int(running.url.rpartition(":")[2])
    (worker,) = [p for p in psutil.Process(running.process.pid).children() if is_worker(p)]
    seen = []
    for _ in range(times):
        write_wide(write_table, rows)
        assert refreshed(port, admin)["status"] == "succeeded"
        seen.append((worker.memory_full_info().pss, worker.num_fds(), worker.num_threads()))
    # A Generation that is about to be let go comes and goes between two looks, so none is judged
    # alone: what leaks, grows past the most of the beginning and does not come back.
    most = [max(each) for each in zip(*seen[:10], strict=True)]
    least = [min(each) for each in zip(*seen[-5:], strict=True)]
    bytes_kept = sum(path.stat().st_size for path in (settings.state / "tables").iterdir())
    sys.stdout.write(
        f"\n(PSS, descriptors, threads): most of 10 {most}, least of the last 5 of {times} {least};"
        f" {bytes_kept / 1e6:.0f} MB of tables kept\n"
    )
    assert least[0] <= 1.10 * most[0]
    assert least[1] <= most[1] + 3
    assert least[2] <= most[2] + 2
    assert bytes_kept < 6.5 * rows * 8 * (WIDTH + 1) + 20e6


def refreshed(port, admin):
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        headers = {**admin, "Prefer": "wait=50"}
        connection.request("POST", "/api/v1/data/refresh", headers=headers)
        return json.loads(connection.getresponse().read())


BROKEN = [
    "",
    "7",
    "[]",
    "version: 1",
    "version: 2\ndatasets: {}",
    "datasets: {}",
    "version: 1\ndatasets: 7",
    "version: 1\ndatasets: {A: {}}",
    "version: 1\ndatasets: {}\nmore: 1",
    "a: [",
    "a: &x 1\nb: *x",
    "a: !!python/object:os.system {}",
    "version: 1\nversion: 1",
    "\tversion: 1",
    "version: 1\x00",
    "--- \nversion: 1\n---\nversion: 1",
    "[" * 5000,
    *(
        REGISTRY.replace(right, wrong, 1)
        for right, wrong in [
            ("source: gold", "source: golf"),
            ("keys: [item_id]", "keys: []"),
            ("keys: [item_id]", "keys: item_id"),
            ("path: dim_items.parquet", "path: ../dim_items.parquet"),
            ("path: dim_items.parquet", "path: /etc/passwd"),
            ("path: dim_items.parquet", "paht: dim_items.parquet"),
            ("lineage:", "linage:"),
            ("time: date", "time: 7"),
            ("location: gold", "location: s3://gold"),
            ("endpoints: [items]", "endpoints: [items, items]"),
            ("title: Items", "title: [Items]"),
            ("title: Items", "access: secret"),
            ("title: Items", "status: gone"),
            ("title: Items", "max_row_loss: 2"),
        ]
    ),
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_registry_changes_nothing_and_says_where(
    dashboard, dashboard_settings, dashboard_admin, text
):
    assert len(BROKEN) >= 30
    before = dashboard.get("/api/v1/items").data
    dashboard_settings.registry.write_text(text)
    started = time.monotonic()
    headers = {**dashboard_admin, "Prefer": "wait=30"}
    answer = dashboard.post("/api/v1/data/refresh", headers=headers)
    assert answer.status_code == 422
    assert time.monotonic() - started < 2
    error = answer.get_json()["errors"][0]
    assert error["file"] == "datasets.yaml"
    assert error["line"] >= 1
    assert error["column"] >= 1
    assert dashboard.get("/api/v1/items").data == before


def test_a_randomly_damaged_file_never_gets_past_its_manifest(
    refresh, registry_file, gold, write_table, soak
):
    path = write_table("fact_forecast", forecast_columns())
    whole = path.read_bytes()
    listed = {"path": path.name, "sha256": sha256(whole).hexdigest(), "rows": 20}
    (gold / "list.json").write_text(json.dumps({"files": [listed]}))
    text = registry_file.read_text()
    place = "    path: fact_forecast.parquet"
    registry_file.write_text(text.replace(place, "    manifest: list.json"))
    dataset = read_registry(registry_file).datasets["forecasts"]
    draw = random.Random(7)
    for _ in range(1000 if soak else 100):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        with pytest.raises(SourceError):
            copy_files(Source("gold", gold), dataset, gold.parent / "copies", lambda _: None)
    path.write_bytes(whole)
    assert refresh().status == "succeeded"
