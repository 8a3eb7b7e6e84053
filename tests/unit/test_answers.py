"""Answers under their identities: kept within bounds, and made once."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from time import sleep, time

import pytest

from app import answers
from app.answers import Answer, Identity, Keeper, MemoryCache
from app.formats import json_bytes

IDENTITY = Identity(7, "GET /items", "limit=3", "fresh")
ANSWER = Answer(b'{"a": 1}\n\n\x00', {"ETag": 'W/"x"'}, {"dataset": "items", "rows": 3})


@pytest.mark.parametrize(
    "changed",
    [
        *({"generation": 8}, {"route": "GET /item"}, {"query": "limit=4"}, {"query": ""}),
        *({"freshness": "warn"}, {"format": "csv"}, {"scope": "finance"}),
    ],
)
def test_each_part_of_an_identity_makes_another_answer(changed):
    other = replace(IDENTITY, **changed)
    assert other.text != IDENTITY.text
    assert other.etag(b"k") != IDENTITY.etag(b"k")


def test_an_etag_is_weak_the_same_each_time_and_nobody_elses(monkeypatch):
    etag = IDENTITY.etag(b"key")
    assert etag == replace(IDENTITY).etag(b"key")
    assert etag.startswith('W/"')
    assert len(etag) == len('W/""') + 32
    assert etag != IDENTITY.etag(b"other key")
    monkeypatch.setattr(answers.answer, "__version__", "next")
    assert etag != replace(IDENTITY).etag(b"key")


@pytest.mark.parametrize("answer", [ANSWER, Answer(b"", {}), Answer(b"\n", {"a": "b\nc"})])
def test_an_answer_survives_a_cache(answer):
    assert Answer.from_bytes(answer.as_bytes()) == answer


def test_a_cache_gives_back_what_it_was_given_and_forgets_when_told():
    cache = MemoryCache(1_000)
    assert cache.set("a", b"1")
    assert (cache.get("a"), cache.has("a"), cache.bytes) == (b"1", True, 2)
    assert cache.set("a", b"22")
    assert (cache.get("a"), cache.bytes) == (b"22", 3)
    assert (cache.delete("a"), cache.delete("a"), cache.get("a")) == (True, False, None)
    cache.set("b", b"1")
    assert cache.clear()
    assert (cache.has("b"), cache.bytes) == (False, 0)


def test_the_least_recently_used_goes_first():
    cache = MemoryCache(100)
    for key in "abcdefghij":
        cache.set(key, b"123456789")
    assert cache.bytes == 100
    assert cache.get("a") is not None
    cache.set("k", b"123456789")
    assert (cache.has("a"), cache.has("b"), cache.has("c")) == (True, False, True)
    assert cache.bytes == 100


@pytest.mark.parametrize("size", [13, 10_000])
def test_what_is_too_large_is_not_kept_nor_what_it_would_replace(size):
    cache = MemoryCache(100)
    cache.set("a", b"old")
    assert not cache.set("a", bytes(size))
    assert (cache.get("a"), cache.bytes) == (None, 0)


def test_a_cache_of_no_bytes_keeps_nothing():
    cache = MemoryCache(0)
    assert not cache.set("a", b"")
    assert cache.get("a") is None


@pytest.mark.parametrize("timeout", [0, -1, timedelta(0)])
def test_what_may_not_be_kept_at_all_is_not(timeout):
    assert not MemoryCache(1_000).set("a", b"1", timeout=timeout)


@pytest.mark.parametrize("timeout", [0.3, timedelta(milliseconds=300)])
def test_what_is_kept_for_a_time_is_gone_after_it(timeout):
    cache = MemoryCache(1_000)
    cache.set("a", b"1", timeout=timeout)
    cache.set("b", b"1", timeout=60)
    assert cache.get("a") == b"1"
    sleep(0.35)
    assert (cache.get("a"), cache.get("b"), cache.bytes) == (None, b"1", 2)


def test_many_threads_leave_the_count_of_bytes_right():
    cache = MemoryCache(2_000)

    def use(thread):
        for n in range(500):
            cache.set(f"{(thread + n) % 40}", bytes(n % 50))
            cache.delete(f"{n % 40}")
            cache.get(f"{(n + 7) % 40}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert 0 <= cache.bytes <= 2_000
    for n in range(40):
        cache.delete(f"{n}")
    assert cache.bytes == 0


def test_an_answer_is_made_once_and_then_kept():
    keeper = Keeper(MemoryCache(10_000))
    assert keeper.answer(IDENTITY, 60, lambda: ANSWER) == (ANSWER, "made")
    assert keeper.answer(IDENTITY, 60, fail) == (ANSWER, "kept")


def fail():
    raise RuntimeError("made again")


class Counted(MemoryCache):
    """Counts how often somebody looked."""

    looks = 0

    def get(self, key):
        self.looks += 1
        return super().get(key)


@pytest.mark.parametrize("limit", [100_000, 0])
def test_sixteen_who_ask_at_once_get_what_one_made_even_if_it_is_too_large_to_keep(limit):
    cache, made = Counted(limit), []
    keeper = Keeper(cache)

    def make():
        made.append(1)
        while cache.looks < 16:
            sleep(0.001)
        # The last one has looked, and is on its way to wait.
        sleep(0.05)
        return ANSWER

    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(keeper.answer, IDENTITY, 60, make) for _ in range(16)]
        answered = [each.result() for each in asked]
    assert len(made) == 1
    assert sorted(outcome for _, outcome in answered) == ["kept"] * 15 + ["made"]
    assert {answer.body for answer, _ in answered} == {ANSWER.body}
    assert cache.looks == 16


def test_who_asks_for_something_else_does_not_wait():
    keeper, inside = Keeper(MemoryCache(10_000)), threading.Event()
    other = replace(IDENTITY, query="other")

    def slow():
        inside.set()
        assert keeper.answer(other, 60, lambda: ANSWER)[1] == "made"
        return ANSWER

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(keeper.answer, IDENTITY, 60, slow).result(5)[1] == "made"
    assert inside.is_set()


def test_a_failure_is_its_makers_own_and_the_next_one_tries():
    keeper, tries, together = Keeper(MemoryCache(10_000)), [], threading.Barrier(4)

    def make():
        tries.append(1)
        sleep(0.01)
        if len(tries) < 3:
            raise RuntimeError(f"try {len(tries)}")
        return ANSWER

    def ask(_):
        together.wait()
        try:
            return keeper.answer(IDENTITY, 60, make)[1]
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(ask, range(4))) == ["kept", "made", "try 1", "try 2"]


def test_answers_of_other_generations_are_dropped_and_counted():
    keeper = Keeper(MemoryCache(10_000))
    for generation in (1, 7, 70, 71):
        keeper.answer(replace(IDENTITY, generation=generation), 60, lambda: ANSWER)
    assert keeper.drop_older(7) == 3
    assert keeper.answer(IDENTITY, 60, fail)[1] == "kept"
    assert keeper.drop_older(7) == 0


def test_what_is_kept_can_be_had_without_making_it():
    keeper = Keeper(MemoryCache(10_000))
    assert keeper.kept(IDENTITY) is None
    keeper.answer(IDENTITY, 60, lambda: ANSWER)
    assert keeper.kept(IDENTITY) == ANSWER


def test_what_was_made_is_put_away_later_and_can_be_had_until_then():
    cache = MemoryCache(100_000)
    keeper = Keeper(cache)
    keeper.answer(IDENTITY, 60, lambda: ANSWER)
    assert (keeper.bytes, keeper.kept(IDENTITY)) == (0, ANSWER)
    keeper.settle()
    assert cache.get(IDENTITY.text) == ANSWER == keeper.kept(IDENTITY)
    cache.clear()
    assert keeper.kept(IDENTITY) is None


def test_what_nobody_puts_away_is_not_gathered_for_ever():
    cache = MemoryCache(1_000_000)
    keeper = Keeper(cache)
    asked = [replace(IDENTITY, query=f"{number}") for number in range(1_000)]
    for each in asked:
        keeper.answer(each, 60, lambda: ANSWER)
    assert sum(cache.has(each.text) for each in asked) > 900


def test_what_is_not_put_away_yet_is_gone_after_its_time(monkeypatch):
    keeper, now = Keeper(MemoryCache(10_000)), time()
    monkeypatch.setattr("app.answers.answer.time", lambda: now - 61)
    keeper.answer(IDENTITY, 60, lambda: ANSWER)
    assert keeper.kept(IDENTITY) is None
    monkeypatch.undo()
    other = replace(ANSWER, body=b"{}")
    answer, outcome = keeper.answer(IDENTITY, 60, lambda: other)
    assert (answer.body, outcome) == (b"{}", "made")
    keeper.settle()
    assert keeper.kept(IDENTITY) == answer


@pytest.mark.parametrize("limit", [10_000, 0])
def test_a_cache_that_gives_back_what_it_took_works(limit):
    assert Keeper(MemoryCache(limit)).works()


def test_a_cache_that_loses_what_it_took_does_not():
    class Forgetful(MemoryCache):
        def get(self, key):
            self.delete(key)
            return super().get(key)

    assert not Keeper(Forgetful(10_000)).works()


def test_what_is_kept_takes_no_more_memory_than_is_counted():
    keeper, text = Keeper(MemoryCache(10_000_000)), "x" * 20_000
    tracemalloc.start()
    try:
        for number in range(50):
            asked = replace(IDENTITY, query=f"{number}")
            keeper.answer(asked, 60, lambda: Answer(json_bytes({"text": text}), {}))
            keeper.settle()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1_000_000 < keeper.bytes < 1_100_000
    assert taken < 1.2 * keeper.bytes
