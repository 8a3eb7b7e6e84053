"""Clients that are slow, hungry or gone leave the others their answers, in time."""

import json
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from select import select
from urllib.parse import quote

import pytest

from tests.journeys.test_exports_served import long_table, workers
from tests.journeys.test_storm import percentile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

__all__ = ["long_table"]
ROWS = "/api/v1/datasets/forecasts/rows"
SMALL = f"{ROWS}?item_id=I-00001&limit=30&forecast__gt="


@dataclass
class Honest:
    """Clients that ask and read, and how long each answer took, in seconds."""

    port: int
    path: str = SMALL
    over: threading.Event = field(default_factory=threading.Event)
    took: list = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)

    def ask(self, *_):
        draw = random.Random(7)
        while not self.over.is_set():
            started = time.monotonic()
            path = self.path + (f"{draw.random():.9f}" if self.path == SMALL else "")
            self.statuses[asked(self.port, path)] += 1
            self.took.append(time.monotonic() - started)
            self.over.wait(0.02)


def asked(port, path, timeout=30):
    """Give the status of a question whose answer is read to its end; 0 where there is none."""
    with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=timeout)) as link:
        link.request("GET", path)
        answer = link.getresponse()
        answer.read()
        return answer.status
    return 0


def looked_at(port, seconds):
    """Ask for so long, small questions and health; give both."""
    honest, health = Honest(port), Honest(port, "/health")
    with ThreadPoolExecutor(5) as threads:
        for each in (honest, honest, honest, honest, health):
            threads.submit(each.ask)
        time.sleep(seconds)
        for each in (honest, health):
            each.over.set()
    return honest, health


def held(port, sent, receive=0):
    """Open a connection, send these bytes and no more, and take at most a few."""
    link = socket.socket()
    if receive:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(("127.0.0.1", port))
    link.sendall(sent)
    return link


def half_header(port):
    return held(port, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def half_body(port, key=""):
    head = f"POST /api/v1/data/refresh HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    return held(port, head.encode())


def reads_nothing(port):
    return held(port, f"GET {ROWS}.json HTTP/1.1\r\nHost: x\r\n\r\n".encode(), receive=1)


def told(name, *clients):
    for each in clients:
        p50, p99 = (1000 * percentile(each.took, share) for share in (0.5, 0.99))
        sys.stdout.write(
            f"\n{name} {each.path[:14]}: {len(each.took)} answers {dict(each.statuses)},"
            f" p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        )


def port_of(running):
    return int(running.url.rpartition(":")[2])


def test_slow_clients_keep_nobody_waiting(server, long_table, admin, soak):
    long_table(100)
    running = server(workers=2, guesses_per_minute=0)
    port, many = port_of(running), 200 if soak else 60
    asked(port, f"{ROWS}.json")
    with ExitStack() as open_links:
        for _ in range(many):
            open_links.enter_context(half_header(port))
            open_links.enter_context(half_body(port))
            open_links.enter_context(half_body(port, admin["X-API-Key"]))
        for _ in range(many // 4):
            open_links.enter_context(reads_nothing(port))
        honest, health = looked_at(port, 30 if soak else 4)
    told("beside slow clients", honest, health)
    assert set(honest.statuses) == set(health.statuses) == {200}
    assert percentile(honest.took, 0.99) <= 1
    assert percentile(health.took, 0.99) <= (0.05 if soak else 1)


def trickled(port, headers, pause):
    """Send a body byte by byte; give the answer's status and how long it took to come."""
    sent, started = b'{"dry_run": true, "source": "gold"}', time.monotonic()
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as link:
        told = {**headers, "Content-Type": "application/json", "Content-Length": str(len(sent))}
        link.putrequest("POST", "/api/v1/data/refresh")
        for each in told.items():
            link.putheader(*each)
        link.endheaders()
        for byte in sent:
            link.send(bytes([byte]))
            # Who is answered before the end is not listened to any longer.
            if select([link.sock], [], [], pause)[0]:
                break
        status = link.getresponse().status
        return status, time.monotonic() - started


@pytest.mark.usefixtures("registry_file")
def test_a_body_that_trickles_is_waited_for_no_longer_than_it_may(server, admin):
    port = port_of(server(workers=1))
    with ThreadPoolExecutor(10) as threads:
        # More than there are turns: the next ones have theirs when these are over.
        slow = [threads.submit(trickled, port, admin, 0.4) for _ in range(8)]
        time.sleep(0.5)
        assert trickled(port, admin, 0)[0] == 503
        assert {each.result()[0] for each in slow} == {408}
    assert trickled(port, admin, 0.02)[0] == 200
    assert trickled(port, admin, 0)[0] == 200


LONG = quote("I-0000" * 300)
DATASET = "/api/v1/datasets/forecasts/"
HUNGRY = [
    "aggregate?group_by=item_id,date&measures=median:forecast,count_distinct:actual&limit=10000",
    "aggregate?group_by=date,forecast&measures=count,median:actual,min:source,max:source",
    "aggregate?group_by=forecast&measures=median:actual&sort=-median_actual",
    "aggregate?group_by=item_id,date,forecast,actual&measures=count&sort=-count",
    "rows?sort=-forecast,source,actual&limit=10000&count=true",
    "rows?sort=generated_at,model_version,-actual,-date&limit=10000",
    f"rows?item_id__icontains={LONG}&source__icontains={LONG}&sort=forecast",
    "rows?sort=actual&forecast__not_in=" + ",".join(f"{n}.5" for n in range(900)),
    "series?value=forecast,actual&points=10000",
    "compare?with=generation:1",
    "compare?a=v1&b=v1",
]
MEGABYTE = 1 << 20


def test_the_worst_question_ends_in_its_time(server, long_table, soak):
    long_table(3_000 if soak else 600)
    running = server(workers=1, query_seconds=1)
    port, took = port_of(running), {}
    for each in HUNGRY:
        started = time.monotonic()
        status = asked(port, DATASET + each, timeout=60)
        took[each] = time.monotonic() - started
        sys.stdout.write(f"\n{took[each]:.2f} s {status} {each[:80]}")
        assert status in {200, 503, 504, 507}
    # The full bar is for a machine that does nothing else.
    assert max(took.values()) <= (1.25 if soak else 2)


class Devourers:
    """Clients that ask the worst there is, eight at once, and what it costs a worker."""

    def __init__(self, port, worker):
        self.port, self.worker = port, worker
        self.over, self.lock = threading.Event(), threading.Lock()
        self.asked, self.seen, self.memory = 0, Counter(), []

    def devour(self):
        while not self.over.is_set():
            with self.lock:
                self.asked += 1
                path = DATASET + HUNGRY[self.asked % len(HUNGRY)]
                path += "" if "compare" in path else f"&forecast__lt={1 + self.asked}"
            self.seen[asked(self.port, path, timeout=60)] += 1

    def watch(self):
        while not self.over.wait(0.05):
            self.memory.append(self.worker.memory_full_info().pss)


def test_hungry_questions_leave_the_small_ones_their_answers(server, long_table, soak):
    long_table(3_000 if soak else 600)
    running = server(workers=1, engine_memory=256 * MEGABYTE)
    port, (worker,) = port_of(running), workers(running)
    asked(port, f"{SMALL}0")
    idle = looked_at(port, 5 if soak else 1)
    hungry, before = Devourers(port, worker), worker.memory_full_info().pss
    with ThreadPoolExecutor(9) as threads:
        for each in [hungry.devour] * 8:
            threads.submit(each)
        threads.submit(hungry.watch)
        busy = looked_at(port, 20 if soak else 4)
        hungry.over.set()
    told("idle", *idle)
    told("beside hungry ones", *busy)
    grown = (max(hungry.memory) - before) / MEGABYTE
    sys.stdout.write(f"\nhungry {dict(hungry.seen)}, memory grew by {grown:.0f} MiB")
    assert [set(each.statuses) for each in busy] == [{200}, {200}]
    if soak:
        # The bars are for a machine that does nothing else.
        quiet, beside = (percentile(each.took, 0.99) for each in (idle[0], busy[0]))
        assert beside < 3 * quiet
        assert percentile(busy[1].took, 0.99) <= 0.05
    assert set(hungry.seen) <= {200, 503, 504, 507}
    # The engine's limit, and some for kept answers, a comparison's own engine and Python.
    assert grown <= 256 + 200


def test_a_service_that_stops_waits_for_what_is_at_work_and_for_nobody_who_stalls(
    server, long_table, admin
):
    # All have to come to their turn within ten seconds, also where other tests run beside. One
    # worker has room for them: the other may not be ready when they come.
    long_table(60)
    running = server(workers=2, guesses_per_minute=0, exports_waiting=20)
    port = port_of(running)
    asked(port, f"{ROWS}.json")
    costly = [f"{ROWS}.ndjson?forecast__gt=0.{n}&sort=actual" for n in range(20)]
    with ExitStack() as links, ThreadPoolExecutor(20) as threads:
        for stalled in (half_header, half_body, reads_nothing, reads_nothing):
            links.enter_context(stalled(port))
        links.enter_context(half_body(port, admin["X-API-Key"]))
        at_work = [threads.submit(asked, port, each) for each in costly]
        time.sleep(0.5)
        assert not all(each.done() for each in at_work)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=30) == 0
    assert [each.result() for each in at_work] == [200] * 20


def test_the_log_has_a_line_for_each_request(server, registry_file, admin):
    running = server(workers=2, guesses_per_minute=0)
    port = port_of(running)
    ready = running.told().count('"event":"request"')
    draw = random.Random(7)
    paths = ["/health", "/nowhere", "/api/v1/items", f"{ROWS}?nosuch=1", f"{ROWS}.csv", "/docs"]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: asked(port, draw.choice(paths)), range(400)))
    assert set(answers) == {200, 400, 404}
    lines = running.told().splitlines()
    told = [json.loads(line) for line in lines if '"event":"request"' in line]
    assert len(told) == ready + 400
    assert len({line["request_id"] for line in told}) == len(told)
