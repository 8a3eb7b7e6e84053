"""Readers during refreshes: each answer is of one Generation, and never of an older one."""

import json
import random
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection

import pyarrow as pa
import pytest

from tests.conftest import FIRST_DAY
from tests.history import NO_FAULTS, Read, Refreshed, check
from tests.journeys.conftest import STAMP, UTC_TIME, items_named

ITEMS = [f"I-{number}" for number in range(40)]
DAYS = 60
READERS = 8
REFRESHES = 30
# So that the builder, which gives way to the workers, has its turns.
PAUSE_SECONDS = 0.04


def read(started, ended, generation, *markers):
    return Read(started, ended, frozenset({generation}), frozenset(markers))


MADE = [Refreshed(1.0, 1, "a"), Refreshed(5.0, 2, "b"), Refreshed(9.0, 3, "c")]


@pytest.mark.parametrize(
    "reads",
    [
        [],
        [read(1.5, 2.0, 1, "a"), read(5.5, 6.0, 2, "b")],
        [read(1.5, 2.0, 1)],
        # What is asked for before the refresh returns may be old, however late it comes.
        [read(4.9, 9.0, 1, "a")],
        # It may also be new already.
        [read(4.0, 4.5, 2, "b"), read(4.4, 6.0, 1, "a")],
        [read(5.0, 6.0, 1, "a")],
    ],
)
def test_a_history_without_faults_has_none(reads):
    assert check(reads, MADE).counts() == NO_FAULTS


@pytest.mark.parametrize(
    ("fault", "reads"),
    [
        ("torn", [read(1.5, 2.0, 1, "a", "b")]),
        ("torn", [read(1.5, 2.0, 1, "b")]),
        ("torn", [Read(1.5, 6.0, frozenset({1, 2}), frozenset("a"))]),
        ("torn", [read(9.5, 9.9, 4, "d")]),
        ("older after return", [read(5.1, 5.2, 1, "a")]),
        ("older after return", [read(9.5, 9.6, 2, "b"), read(1.5, 1.6, 1, "a")]),
        ("older after return", [read(99.0, 99.1, 1, "a")]),
        ("went back", [read(4.0, 4.1, 2, "b"), read(4.2, 4.3, 1, "a")]),
        ("went back", [read(4.2, 4.3, 1, "a"), read(3.0, 3.1, 1), read(4.0, 4.1, 2)]),
    ],
)
def test_a_fault_of_a_history_is_found(fault, reads):
    assert check(reads, MADE).counts() == {**NO_FAULTS, fault: 1}


def marked(marker):
    """Give forecasts and items in which every row carries ``marker``."""
    rows = [(item, day) for item in ITEMS for day in range(DAYS)]
    count = len(rows)
    forecasts = {
        "item_id": [item for item, _ in rows],
        "date": pa.array([FIRST_DAY + timedelta(day) for _, day in rows], pa.date32()),
        "forecast": pa.array([marker] * count, pa.float64()),
        "actual": pa.array([marker] * count, pa.float64()),
        "source": [str(marker)] * count,
        "model_version": [str(marker)] * count,
        "dataset_id": [str(marker)] * count,
        "generated_at": pa.array([STAMP + timedelta(days=marker)] * count, UTC_TIME),
    }
    lineage = {"category": [str(marker)] * len(ITEMS), "dataset_id": [str(marker)] * len(ITEMS)}
    return {"fact_forecast": forecasts, "dim_items": items_named(*ITEMS, **lineage)}


def marks_of(body, days):
    """Give the marks of everything an answer shows."""
    if "timeseries" in body:
        cells = ("forecast", "actual", "source", "model_version")
        marks = [float(row[cell]) for row in body["timeseries"] for cell in cells]
    elif "summary" in body:
        totals = [body["summary"][name] for name in ("total_forecast", "total_actual")]
        marks = [total / days / len(ITEMS) for total in totals]
        marks += [window["total_forecast"] / len(ITEMS) for window in body["windows"]]
    else:
        marks = [float(item["category"]) for item in body["items"]]
    return {*marks, float(body["metadata"]["dataset_id"])}


@dataclass
class Storm:
    """Readers of one service, and everything they saw."""

    port: int
    over: threading.Event = field(default_factory=threading.Event)
    reads: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    health: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    def drawn(self, draw):
        return drawn(draw)

    def threads(self):
        runs = [*([self._read] * READERS), self._look]
        return [threading.Thread(target=self._kept, args=(run,), daemon=True) for run in runs]

    def _kept(self, run):
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
                run(connection)
        except Exception as error:  # noqa: BLE001 - the test tells what any thread met
            self.failures.append(error)

    def _read(self, connection):
        draw = random.Random(threading.get_ident())
        while not self.over.is_set():
            address, days = self.drawn(draw)
            started = time.monotonic()
            connection.request("GET", address)
            answer = connection.getresponse()
            content = answer.read()
            ended = time.monotonic()
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.reads.append(seen((started, ended), answer, json.loads(content), days))
            time.sleep(PAUSE_SECONDS)

    def _look(self, connection):
        while not self.over.is_set():
            started = time.monotonic()
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            self.health.append((time.monotonic() - started, answer.status))
            time.sleep(0.05)


def drawn(draw):
    """Draw an address, and how many days its period has."""
    # Few enough that some answers are kept ones and others are made.
    days = draw.choice((1, 7, 30, DAYS))
    period = f"start={FIRST_DAY}&end={FIRST_DAY + timedelta(days - 1)}"
    kind = draw.random()
    if kind < 0.2:
        return "/api/v1/items?limit=50", days
    if kind < 0.4:
        return f"/api/v1/forecasts/summary?{period}&window=day", days
    return f"/api/v1/items/{draw.choice(ITEMS[:10])}/timeseries?{period}", days


def seen(span, answer, body, days):
    generations = {int(answer.headers["X-Generation"]), body["metadata"]["generation"]}
    return Read(*span, frozenset(generations), frozenset(marks_of(body, days)))


def refresh_once(port, admin, write_table, marker):
    """Write new data everywhere, refresh, and give what came of it."""
    for name, columns in marked(marker).items():
        write_table(name, columns)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/data/refresh", headers={**admin, "Prefer": "wait=50"})
    answer = connection.getresponse()
    job = json.loads(answer.read())
    returned = time.monotonic()
    connection.close()
    assert (answer.status, job["status"]) == (200, "succeeded"), job
    return Refreshed(returned, job["generation"]["to"], float(marker)), job


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("registry_file")
def test_no_answer_of_a_storm_is_torn_or_old(server, admin, write_table):
    for name, columns in marked(1000).items():
        write_table(name, columns)
    port = int(server(workers=3).url.rpartition(":")[2])
    storm = Storm(port)
    threads = storm.threads()
    for thread in threads:
        thread.start()
    made, seconds = [Refreshed(0.0, 1, 1000.0)], []
    for marker in range(1001, 1001 + REFRESHES):
        started = time.monotonic()
        refreshed, job = refresh_once(port, admin, write_table, marker)
        made.append(refreshed)
        seconds.append(time.monotonic() - started)
    time.sleep(0.5)
    storm.over.set()
    for thread in threads:
        thread.join(30)
    tell(storm, seconds)
    assert storm.failures == []
    assert check(storm.reads, made).counts() == NO_FAULTS
    assert storm.statuses.keys() == {200}
    assert len(storm.reads) > 2000
    assert {each.generation for each in made} == set(range(1, REFRESHES + 2))
    assert len(job["workers"]) == 3
    assert {status for _, status in storm.health} == {200}
    assert percentile([took for took, _ in storm.health], 0.99) < 1.0


def tell(storm, seconds):
    took = [each.ended - each.started for each in storm.reads]
    sys.stdout.write(
        f"\n{len(storm.reads)} reads of {len({each.generation for each in storm.reads})}"
        f" Generations, p50 {1000 * percentile(took, 0.5):.0f} ms,"
        f" p99 {1000 * percentile(took, 0.99):.0f} ms, max {1000 * max(took):.0f} ms;"
        f" {len(seconds)} refreshes, p50 {percentile(seconds, 0.5):.2f} s,"
        f" max {max(seconds):.2f} s; {len(storm.health)} looks at health, p99"
        f" {1000 * percentile([each for each, _ in storm.health], 0.99):.0f} ms\n"
    )
