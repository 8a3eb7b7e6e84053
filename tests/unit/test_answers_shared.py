"""Answers that workers share in Redis: made once, believed only under our seal, never needed."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.answers import Answer, Identity, Keeper, MemoryCache, Shared, encoded, shared
from app.answers.shared import BytesCache
from app.redis import Redis

KEY = b"k" * 32
IDENTITY = Identity(7, "GET /items", "limit=3", "fresh", committed="2026-01-01")
ANSWER = Answer(b'{"a": 1}\n\n\x00' * 200, {"X-A": "b"}, {"dataset": "items", "rows": 3})
OTHER = replace(ANSWER, body=b"made again")


@pytest.fixture
def server(redis_server, patient):
    return redis_server()


@pytest.fixture
def hurried(redis_server):
    """One that is asked for no longer than any is."""
    return redis_server()


def keeper_of(server, key=KEY, memory=1_000_000):
    """The Keeper of a worker of its own."""
    return Keeper(MemoryCache(memory), Shared(Redis(server.url, key), key))


def fail():
    raise RuntimeError("made again")


def kept_names(server):
    with server.client() as client:
        return sorted(client.keys("*:answer:*"))


def test_what_one_worker_made_another_does_not_make(server):
    assert keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER) == (ANSWER, "made")
    second = keeper_of(server)
    assert second.answer(IDENTITY, 60, fail) == (ANSWER, "kept")
    server.kill()
    # From now on it is in this worker's memory.
    assert second.kept(IDENTITY) == ANSWER


def test_a_service_with_another_key_makes_its_own(server):
    keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER)
    assert keeper_of(server, b"o" * 32).answer(IDENTITY, 60, lambda: OTHER) == (OTHER, "made")
    assert len(kept_names(server)) == 2


@pytest.mark.parametrize("changed", [{"generation": 8}, {"committed": "2026-01-02"}, {"query": ""}])
def test_another_identity_is_another_answer(server, changed):
    keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER)
    other = replace(IDENTITY, **changed)
    assert keeper_of(server).answer(other, 60, lambda: OTHER) == (OTHER, "made")


@pytest.mark.parametrize("changed", [{"scope": "finance"}, {"encoding": "gzip"}])
def test_what_needs_a_scope_or_is_compressed_does_not_leave_the_worker(server, changed):
    identity = replace(IDENTITY, **changed)
    keeper = keeper_of(server)
    assert keeper.answer(identity, 60, lambda: ANSWER)[1] == "made"
    assert keeper.answer(identity, 60, fail)[1] == "kept"
    with server.client() as client:
        assert client.dbsize() == 0


def test_what_is_public_does(server):
    keeper_of(server).answer(replace(IDENTITY, scope="public"), 60, lambda: ANSWER)
    assert len(kept_names(server)) == 1


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_may_not_be_kept_is_not(server, seconds):
    keeper_of(server).answer(IDENTITY, seconds, lambda: ANSWER)
    assert keeper_of(server).answer(IDENTITY, seconds, lambda: OTHER) == (OTHER, "made")
    with server.client() as client:
        assert client.dbsize() == 0


def test_what_is_too_large_is_kept_by_its_worker_only(server):
    large = replace(ANSWER, body=bytes(1 << 20))
    keeper = keeper_of(server, memory=100_000_000)
    keeper.answer(IDENTITY, 60, lambda: large)
    assert (keeper.kept(IDENTITY), kept_names(server)) == (large, [])
    just = replace(ANSWER, body=bytes((1 << 20) - 500))
    other = replace(IDENTITY, query="")
    keeper.answer(other, 60, lambda: just)
    assert keeper_of(server).answer(other, 60, fail)[0] == just


def test_nothing_outlives_its_time_by_being_taken_over_or_compressed(server):
    keeper_of(server).answer(IDENTITY, 2, lambda: ANSWER)
    made = time.monotonic()
    time.sleep(1)
    second = keeper_of(server)
    plain, _ = second.answer(IDENTITY, 2, fail)
    small = replace(IDENTITY, encoding="gzip")
    second.answer(small, 2, lambda: encoded(plain, "gzip"))
    time.sleep(max(0, made + 2.1 - time.monotonic()))
    assert (second.kept(IDENTITY), second.kept(small)) == (None, None)
    assert keeper_of(server).answer(IDENTITY, 2, lambda: OTHER) == (OTHER, "made")


def test_a_redis_that_forgets_the_end_of_a_value_does_not_make_it_live_on(server):
    keeper_of(server).answer(IDENTITY, 1, lambda: ANSWER)
    with server.client() as client:
        client.persist(*kept_names(server))
    time.sleep(1.1)
    assert keeper_of(server).answer(IDENTITY, 1, lambda: OTHER) == (OTHER, "made")


def spoilt(value):
    """Values that are not what was kept, though some are near."""
    yield from (b"", b"x", b"!\x80\x04.", value[:31], value[:32], value[:-1], value + b"\x00")
    yield from (value[1:], bytes(len(value)), value[:32] + b"{}\n", b"\x00" * (1 << 21))
    for place in (0, 31, 32, 40, len(value) - 1):
        yield value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]


def test_a_value_that_is_not_ours_is_made_again(server):
    keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER)
    (name,) = kept_names(server)
    with server.client() as client:
        value = client.get(name)
        for bad in spoilt(value):
            client.set(name, bad)
            given = keeper_of(server).answer(IDENTITY, 60, lambda: OTHER)
            assert given == (OTHER, "made"), bad[:50]
        client.set(name, value)
    assert keeper_of(server).answer(IDENTITY, 60, fail) == (ANSWER, "kept")


def test_values_that_changed_their_places_are_refused(server):
    other = replace(IDENTITY, query="limit=4")
    keeper = keeper_of(server)
    keeper.answer(IDENTITY, 60, lambda: ANSWER)
    keeper.answer(other, 60, lambda: OTHER)
    with server.client() as client:
        one, two = kept_names(server)
        values = client.get(one), client.get(two)
        client.set(one, values[1])
        client.set(two, values[0])
    third = keeper_of(server)
    assert third.answer(IDENTITY, 60, lambda: ANSWER)[1] == "made"
    assert third.answer(other, 60, lambda: OTHER)[1] == "made"


def test_of_a_value_that_is_too_large_no_more_is_read_than_we_write(server):
    with server.client() as client:
        client.set("p:a", bytes(5 << 20))
        cache = BytesCache(client, key_prefix="p:")
        assert 1 << 20 < len(cache.get("a")) < (1 << 20) + 100


@pytest.mark.parametrize("kind", ["list", "hash", "set"])
def test_something_of_another_kind_under_our_name_costs_one_making(server, kind):
    keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER)
    (name,) = kept_names(server)
    with server.client() as client:
        client.delete(name)
        {
            "list": lambda: client.rpush(name, "a"),
            "hash": lambda: client.hset(name, "a", "b"),
            "set": lambda: client.sadd(name, "a"),
        }[kind]()
    assert keeper_of(server).answer(IDENTITY, 60, lambda: OTHER) == (OTHER, "made")
    # It is ours again.
    assert keeper_of(server).answer(IDENTITY, 60, fail) == (OTHER, "kept")


def test_what_another_state_of_the_code_wrote_is_made_again(server, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Answer, "as_bytes", lambda _: b'{"colour":"red"}\nbody')
        keeper_of(server, memory=0).answer(IDENTITY, 60, lambda: ANSWER)
    assert len(kept_names(server)) == 1
    assert keeper_of(server).answer(IDENTITY, 60, lambda: OTHER) == (OTHER, "made")


def test_of_two_workers_who_are_asked_at_once_one_makes_it(server):
    made, both = [], threading.Barrier(8)

    def make():
        made.append(1)
        time.sleep(0.3)
        return ANSWER

    def ask(keeper):
        both.wait()
        return keeper.answer(IDENTITY, 60, make)

    keepers = [keeper_of(server) for _ in range(2)] * 4
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, keepers))
    assert len(made) == 1
    assert sorted(outcome for _, outcome in answers) == ["kept"] * 7 + ["made"]
    assert {answer.body for answer, _ in answers} == {ANSWER.body}
    with server.client() as client:
        assert client.keys("*:turn:*") == []


def test_a_failure_is_its_makers_own_and_the_other_worker_makes_it(server):
    started = threading.Event()

    def refuse():
        started.set()
        time.sleep(0.2)
        raise RuntimeError("no")

    with ThreadPoolExecutor(1) as threads:
        failing = threads.submit(keeper_of(server).answer, IDENTITY, 60, refuse)
        started.wait()
        began = time.monotonic()
        assert keeper_of(server).answer(IDENTITY, 60, lambda: ANSWER) == (ANSWER, "made")
        assert time.monotonic() - began < shared._TURN_SECONDS  # noqa: SLF001 - the bound itself
        with pytest.raises(RuntimeError, match="no"):
            failing.result()


def test_a_maker_that_died_is_not_awaited_for_long(server, monkeypatch):
    monkeypatch.setattr(shared, "_TURN_SECONDS", 0.3)
    keeper = keeper_of(server)
    keeper.answer(IDENTITY, 60, lambda: ANSWER)
    (name,) = kept_names(server)
    with server.client() as client:
        client.delete(name)
        # A turn that nobody will ever let go of.
        client.set(name.replace(b":answer:", b":turn:"), b"dead")
    began = time.monotonic()
    assert keeper_of(server).answer(IDENTITY, 60, lambda: OTHER) == (OTHER, "made")
    assert 0.25 < time.monotonic() - began < 2


def test_a_turn_that_was_lost_meanwhile_is_not_taken_from_its_new_holder(server):
    with server.client() as client:

        def slow():
            (turn,) = client.keys("*:turn:*")
            assert 0 < client.pttl(turn) <= 2000
            client.set(turn, b"another")
            return ANSWER

        assert keeper_of(server).answer(IDENTITY, 60, slow)[1] == "made"
        assert client.get(*client.keys("*:turn:*")) == b"another"


@pytest.mark.parametrize(
    "how", ["killed", "frozen", "slow", "full", "flushed", "read-only", "closed"]
)
def test_whatever_is_wrong_with_redis_there_is_an_answer(hurried, how):
    keeper_of(hurried).answer(replace(IDENTITY, query="before"), 60, lambda: ANSWER)
    keeper = keeper_of(hurried)
    break_it(hurried, how)
    began = time.monotonic()
    for number in range(20):
        identity = replace(IDENTITY, query=f"{number}")
        assert keeper.answer(identity, 60, lambda: ANSWER) == (ANSWER, "made")
        assert keeper.answer(identity, 60, fail) == (ANSWER, "kept")
    assert time.monotonic() - began < 5
    assert how == "flushed" or not keeper.works()


def break_it(server, how):
    if how == "killed":
        server.kill()
    elif how == "frozen":
        server.signal(signal.SIGSTOP)
    else:
        with server.client() as client:
            {
                "full": lambda: client.config_set("maxmemory", "1"),
                "slow": lambda: client.client_pause(60_000),
                "flushed": client.flushall,
                "read-only": lambda: client.replicaof("127.0.0.1", "1"),
                "closed": lambda: client.acl_setuser("default", enabled=True, commands=["-@all"]),
            }[how]()
