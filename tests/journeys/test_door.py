"""The door: what can be answered at once is, whatever else the same worker is asked meanwhile."""

import json
import os
import shutil
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.conftest import REGISTRY, ROOT

STOCK = "/api/v1/inventory/A"
# Of an index, of the engine, an export, Flask's, and one that nothing has.
KINDS = (
    STOCK,
    "/api/v1/datasets/forecasts/rows?forecast__gt=1",
    "/api/v1/datasets/forecasts/rows.csv",
    "/api/v1/datasets",
    "/nowhere",
)
HIDING = """\
from app.plugin import Endpoint, Measure, Query, hookimpl


def answer(call):
    try:
        # Of the engine, so a door does not wait for it.
        rows = call.run(Query(call.dataset, (), measures=(Measure("n", "count"),)))
    except BaseException as error:
        raise ValueError("hidden") from error
    return {"rows": rows}


@hookimpl
def endpoints(dataset):
    return [Endpoint("hiding", "/hiding", answer, "Hides what it does not know")]
"""
SLEEPY = """\
import time
from app.plugin import Endpoint, Query, hookimpl


def answer(call):
    rows = call.run(Query(call.dataset, ("item_id",)))
    time.sleep(4)
    return {"rows": len(rows)}


@hookimpl
def endpoints(dataset):
    return [Endpoint("sleepy", "/sleepy", answer, "Sleeps")]
"""


def asked(url, method="GET", **headers):
    try:
        with urlopen(Request(url, method=method, headers=headers), timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as refused:
        return refused.code, refused.read()


def events(server, name="request"):
    lines = server.log.read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in told if each["event"] == name]


def policies(server):
    """Give those under which the threads of its workers are scheduled."""
    for process in psutil.Process(server.process.pid).children(recursive=True):
        for thread in process.threads():
            with suppress(ProcessLookupError):
                yield os.sched_getscheduler(thread.id)


@pytest.fixture
def settings(settings, tmp_path):
    """The usual settings, with plugins that do what they should not."""
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins")
    (tmp_path / "plugins" / "sleepy.py").write_text(SLEEPY)
    (tmp_path / "plugins" / "hiding.py").write_text(HIDING)
    return replace(settings, plugins=tmp_path / "plugins")


def test_a_plugin_that_waits_keeps_nobody_else_waiting(registry_file, refresh, server):
    offered = REGISTRY.replace("endpoints: [inventory]", "endpoints: [inventory, sleepy]")
    assert offered != REGISTRY
    registry_file.write_text(offered)
    assert refresh().status == "succeeded"
    served, took = server(workers=1), []
    url = f"{served.url}/api/v1/sleepy"
    with ThreadPoolExecutor(6) as threads:
        ways = ("", "?bigint=string") * 3
        slow = [threads.submit(asked, url + way) for way in ways]
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            for path in (*KINDS, f"{STOCK}?unknown={len(took)}", "/health", "/health/live"):
                started = time.monotonic()
                asked(served.url + path)
                took.append(time.monotonic() - started)
        assert [each.result() for each in slow if each.done()] == []
        assert {each.result()[0] for each in slow} == {200}
    assert max(took) < 1


def test_a_plugin_that_hides_what_it_does_not_know_answers_all_the_same(
    registry_file, refresh, server
):
    offered = REGISTRY.replace("endpoints: [inventory]", "endpoints: [inventory, hiding]")
    registry_file.write_text(offered)
    assert refresh().status == "succeeded"
    served = server(workers=1)
    status, body = asked(f"{served.url}/api/v1/hiding")
    assert (status, json.loads(body)["rows"]) == (200, [{"n": 6}])
    assert json.loads(asked(f"{served.url}/health")[1])["plugins"] == {"failed": []}


def test_what_is_begun_again_is_counted_and_told_once(registry_file, refresh, server):
    assert refresh().status == "succeeded"
    served = server(workers=1, requests_per_minute=2 * len(KINDS))
    answers = [asked(served.url + path, method)[0] for path in KINDS for method in ("GET", "HEAD")]
    assert answers == [200] * 8 + [404] * 2
    assert {asked(served.url + path)[0] for path in KINDS} == {429}
    time.sleep(0.5)
    told = [each for each in events(served) if each["route"] != "/health/ready"]
    assert [each["status"] for each in told] == [*answers, *[429] * len(KINDS)]
    assert len({each["request_id"] for each in told}) == len(told)


def test_many_of_every_kind_at_once_are_each_answered(registry_file, refresh, server):
    """More than there are doors, so that many are begun again by others."""
    assert refresh().status == "succeeded"
    served = server(workers=1)
    expected = {path: asked(served.url + path) for path in KINDS}

    def ask(number):
        path = KINDS[number % len(KINDS)]
        fresh = f"{path}{'&' if '?' in path else '?'}generation=1" if number % 2 else path
        answer = asked(served.url + (fresh if "datasets/" in path else path))
        return answer[0] == expected[path][0] and len(answer[1]) > 0

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(ask, range(600)))
    assert events(served, "fault") == []


@pytest.mark.skipif(sys.platform != "linux", reason="a policy of a thread is Linux's")
def test_in_a_rush_no_thread_of_a_worker_interrupts_another(
    registry_file, refresh, server, wait_for
):
    assert refresh().status == "succeeded"
    served = server(workers=1)
    host, port = served.url.removeprefix("http://").split(":")
    request = f"GET {STOCK} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    def ask(clients):
        for client in clients:
            client.sendall(request)
        for client in clients:
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")

    def rush_is_seen():
        ask(clients)
        seen.append(Counter(policies(served))[os.SCHED_BATCH])
        return max(seen) > len(list(policies(served))) // 2

    seen = []
    assert os.SCHED_BATCH not in policies(served)
    clients = [socket.create_connection((host, int(port))) for _ in range(64)]
    try:
        wait_for(rush_is_seen)
        wait_for(lambda: os.SCHED_BATCH not in policies(served))
    finally:
        for client in clients:
            client.close()
