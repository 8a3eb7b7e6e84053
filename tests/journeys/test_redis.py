"""Redis behind real workers: it saves making answers, and whatever becomes of it, answers come."""

import json
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.message import Message
from itertools import count
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.conftest import REGISTRY, ROOT, Server, forecast_columns, key_headers

REFRESH = "/api/v1/data/refresh"
# Far more than it may take, and far less than who waits for a frozen Redis would.
SOON = 5.0
SLOW = '''\
"""Tells in a file that it was asked, and takes its time."""

from time import sleep

from app.plugin import Endpoint, Parameter, hookimpl


@hookimpl
def endpoints(dataset):
    """Offer ``slow``."""
    return [Endpoint("slow", "/slow/{{id}}", answer, "Slow", (Parameter("id"),))]


def answer(call):
    """Answer after half a second."""
    with open({made!r}, "a") as file:
        file.write(call["id"] + "\\n")
    sleep(0.5)
    return {{"id": call["id"]}}
'''


@dataclass(frozen=True)
class Told:
    """What a request came to; ``cache`` is what its line in the log says."""

    status: int
    body: bytes
    headers: Message
    seconds: float
    cache: str

    @property
    def json(self):
        return json.loads(self.body)


def ask(server, path, method="GET", **headers):
    """Send a request, and find its line in the log."""
    request = Request(server.url + path, headers=headers, method=method)
    if method == "POST":
        request.data = b""
    began = time.monotonic()
    try:
        with urlopen(request, timeout=60) as answer:
            status, body, given = answer.status, answer.read(), answer.headers
    except HTTPError as refusal:
        status, body, given = refusal.code, refusal.read(), refusal.headers
    seconds = time.monotonic() - began
    cache = until(lambda: cache_of(server, given["X-Request-Id"]))
    return Told(status, body, given, seconds, cache)


def cache_of(server, request_id):
    for line in server.log.read_text().splitlines():
        if f'"request_id":"{request_id}"' in line:
            return json.loads(line)["cache"]
    return None


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = condition()
        if told:
            return told
        time.sleep(0.02)
    raise AssertionError("it did not come about")


@pytest.fixture
def settings(settings):
    """Settings by which a question may take its time: how busy the machine is, is not tested."""
    return replace(settings, query_seconds=60)


@pytest.fixture
def registry(registry_file, refresh, gold):
    """A registry that is served, and whose answers are kept for longer than the test."""
    assert refresh().status == "succeeded"
    return registry_file


@pytest.fixture
def question():
    """Gives questions that were never asked."""
    numbers = count(1)
    return lambda: f"/api/v1/items?q=never-{next(numbers)}"


@pytest.fixture
def redis(redis_server):
    return redis_server()


def taken_over(one, other, question):
    """Ask one service and then the other, until one answer was not made twice."""

    def both():
        asked = question()
        first, second = ask(one, asked), ask(other, asked)
        assert (first.status, first.cache) == (200, "made")
        assert (second.status, second.body) == (200, first.body)
        # On a busy machine Redis may once be too late.
        return second.cache == "kept"

    until(both)


def test_what_one_worker_made_another_gives(registry, server, redis, question):
    one, other = (server(workers=1, cache=redis.url) for _ in range(2))
    taken_over(one, other, question)
    assert ask(one, "/health").json["cache"] == "ok"


def test_without_redis_each_worker_makes_its_own(registry, server, question):
    one, other = (server(workers=1) for _ in range(2))
    asked = question()
    assert [ask(each, asked).cache for each in (one, other)] == ["made", "made"]


def test_a_service_starts_goes_on_and_recovers_however_redis_is(
    registry, server, redis, question, settings
):
    refresher = key_headers(settings, "refresh")
    redis.kill()
    one, other = (server(workers=1, cache=redis.url) for _ in range(2))
    for trouble in (lambda: None, lambda: redis.signal(signal.SIGSTOP), redis.kill):
        trouble()
        for _ in range(10):
            told = ask(one, question())
            assert (told.status, told.cache) == (200, "made")
            assert told.seconds < SOON
        health = ask(one, "/health").json
        assert (health["cache"], health["status"]) == ("unreachable", "degraded")
        refused = ask(one, REFRESH, "POST", **refresher)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json["type"] == "urn:assay:problem:rate-unknown"
        assert ask(one, REFRESH, **refresher).status == 200
        redis.signal(signal.SIGCONT)
        if redis.process.poll() is not None:
            redis.start()
        taken_over(one, other, question)
        until(lambda: ask(one, REFRESH, "POST", **refresher, Prefer="wait=30").status == 200)
    told = one.told()
    assert "redis left alone" in told
    assert "redis is back" in told


def test_what_others_write_into_redis_is_never_an_answer(registry, server, redis, question):
    """The memory of these workers keeps nothing, so each answer comes from Redis or is made."""
    plain = server(workers=1)
    one = server(workers=1, cache=redis.url, cache_bytes=0)
    questions = ["/api/v1/items", "/api/v1/datasets", question(), "/api/v1/inventory/A"]
    right = {asked: ask(plain, asked).body for asked in questions}

    def all_kept():
        told = {asked: ask(one, asked) for asked in questions}
        assert {asked: each.body for asked, each in told.items()} == right
        return all(each.cache == "kept" for each in told.values())

    until(all_kept)
    with redis.client() as client:
        for spoil in (swap, cut, lambda client: garble(client, b"\x80\x04."), mix, flush):
            spoil(client)
            for asked in questions:
                told = ask(one, asked)
                assert (told.status, told.body, told.cache) == (200, right[asked], "made")
            until(all_kept)


def kept(client):
    names = sorted(client.keys("*:answer:*"))
    return dict(zip(names, client.mget(names), strict=True))


def swap(client):
    values = kept(client)
    assert len(values) == 4
    given = [*values.values()]
    client.mset(dict(zip(values, given[1:] + given[:1], strict=True)))


def cut(client):
    client.mset({name: value[:-1] for name, value in kept(client).items()})


def garble(client, content):
    client.mset(dict.fromkeys(kept(client), content))


def mix(client):
    values = kept(client)
    (first, *_) = values.values()
    client.mset({name: first[:32] + value[32:] for name, value in values.items()})
    client.delete(min(values))


def flush(client):
    client.flushall()


def test_a_redis_that_is_full_costs_nothing_but_kept_answers(registry, server, redis, question):
    one, other = (server(workers=1, cache=redis.url) for _ in range(2))
    taken_over(one, other, question)
    with redis.client() as client:
        client.config_set("maxmemory", "1")
        for _ in range(5):
            asked = question()
            told = [ask(each, asked) for each in (one, other)]
            assert [(each.status, each.cache) for each in told] == [(200, "made")] * 2
            assert ask(one, asked).cache == "kept"
        assert ask(one, "/health").json["cache"] == "unreachable"
        client.config_set("maxmemory", "0")
    taken_over(one, other, question)


def test_a_password_is_told_nowhere(registry, server, redis_server, settings):
    redis = redis_server("--requirepass", "another")
    url = redis.url.replace("//", "//:canary-5@")
    one = server(workers=1, cache=url, log_level="debug")
    told = [ask(one, path) for path in ("/api/v1/items", "/health", "/metrics", "/openapi.json")]
    told.append(ask(one, REFRESH, "POST", **key_headers(settings, "refresh")))
    assert [each.status for each in told] == [200, 200, 200, 200, 503]
    assert "AuthenticationError" in one.told()
    assert "canary" not in one.told() + "".join(f"{each} {each.headers}" for each in told)


@pytest.fixture
def made(registry_file, tmp_path):
    """The file in which a slow plugin tells what it was asked."""
    folder, made = tmp_path / "plugins", tmp_path / "made"
    shutil.copytree(ROOT / "plugins", folder)
    (folder / "slow.py").write_text(SLOW.format(made=str(made)))
    registry_file.write_text(REGISTRY.replace("[items]", "[items, slow]"))
    made.touch()
    return made


def test_of_two_workers_who_are_asked_at_once_one_makes_it(made, server, redis):
    plugins = made.with_name("plugins")
    servers = [server(workers=1, cache=redis.url, plugins=plugins) for _ in range(2)]
    numbers = count(1)

    def once():
        number = next(numbers)
        path = f"/api/v1/slow/{number}"
        with ThreadPoolExecutor(6) as threads:
            told = list(threads.map(lambda each: ask(each, path), servers * 3))
        assert {(each.status, each.body) for each in told} == {(200, told[0].body)}
        times = made.read_text().splitlines().count(f"{number}")
        assert sum(each.cache == "made" for each in told) == times
        return times == 1

    until(once)


def test_a_worker_that_dies_while_it_makes_an_answer_is_not_awaited_for_long(made, server, redis):
    plugins = made.with_name("plugins")
    one, other = (server(workers=1, cache=redis.url, plugins=plugins) for _ in range(2))
    with ThreadPoolExecutor(1) as threads:
        threads.submit(failing, lambda: urlopen(f"{one.url}/api/v1/slow/x", timeout=60))
        until(lambda: made.read_text() == "x\n")
        workers = psutil.Process(one.process.pid).children(recursive=True)
        for process in [psutil.Process(one.process.pid), *workers]:
            process.kill()
        told = ask(other, "/api/v1/slow/x")
    assert (told.status, told.cache) == (200, "made")
    assert told.seconds < SOON


def failing(act):
    with pytest.raises(OSError):  # noqa: PT011 - however the connection ends
        act()


def test_workers_count_together_and_guessing_is_slowed_without_redis_too(
    registry, server, redis, settings
):
    reader = key_headers(settings, "read")
    servers = [server(workers=1, cache=redis.url) for _ in range(2)]

    def guesses(times):
        wrong = {"X-API-Key": "wrong"}
        return [ask(servers[number % 2], "/health", **wrong).status for number in range(times)]

    told = guesses(24)
    assert told[:10] == [401] * 10
    assert told[-4:] == [429] * 4
    # Ten together, not ten on each, unless Redis was too late now and then.
    assert told.count(401) < 20
    assert ask(servers[0], "/health", **reader).status == 429
    assert ask(servers[0], "/health").status == 200
    redis.kill()
    fresh = server(workers=1, cache=redis.url)
    wrong = [ask(fresh, "/health", **{"X-API-Key": "wrong"}).status for _ in range(12)]
    assert wrong == [401] * 10 + [429] * 2


@contextmanager
def readers(server: Server, questions, number=4):
    """Ask on and on beside what the test does; gives what was told, which grows."""
    told, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            began = time.monotonic()
            with urlopen(server.url + questions(), timeout=60) as answer:
                body = json.load(answer)
                told.append((began, time.monotonic(), answer.headers["X-Generation"], body))

    with ThreadPoolExecutor(number) as threads:
        reading = [threads.submit(read) for _ in range(number)]
        try:
            yield told
        finally:
            stop.set()
        for each in reading:
            each.result()


@pytest.mark.slow
def test_readers_never_see_an_old_generation_while_redis_comes_and_goes(
    registry, server, redis, settings, write_table
):
    refresher = key_headers(settings, "refresh")
    both = server(workers=2, cache=redis.url)
    days = count()

    def question():
        return f"/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-{1 + next(days) % 10:02}"

    returned = []
    with readers(both, question) as told:
        for factor in range(2, 5):
            redis.signal(signal.SIGSTOP)
            time.sleep(0.5)
            redis.signal(signal.SIGCONT)
            write_table("fact_forecast", forecast_columns(factor=float(factor)))
            wait = {**refresher, "Prefer": "wait=30"}
            until(lambda wait=wait: ask(both, REFRESH, "POST", **wait).status == 200)
            returned.append((time.monotonic(), float(factor)))
            time.sleep(0.3)
    assert len(told) > 100
    assert max(ended - began for began, ended, *_ in told) < SOON
    for began, _, generation, body in told:
        known = max((factor for at, factor in returned if at < began), default=1.0)
        day = body["timeseries"][0]
        assert day["forecast"] >= 2 * known
        assert body["metadata"]["generation"] == int(generation)
