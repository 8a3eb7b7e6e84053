"""Limits that workers hold together by counting in Redis, and each by itself while it is gone."""

import time
from dataclasses import replace

import pytest

from app.access.admission import Admission
from app.access.keyfile import keep_key
from app.access.keyring import Keyring
from app.access.keys import new_key
from app.errors import CredentialError, RateUnknownError, TooManyRequestsError
from app.redis import Redis

KEY = b"k" * 32


@pytest.fixture
def server(redis_server, patient):
    return redis_server()


@pytest.fixture
def key(settings):
    key, record = new_key("ann", "refresh")
    keep_key(settings.keys_file, record)
    return key


def asked(key=None, address="1.1.1.1", method="GET"):
    given = {} if key is None else {"HTTP_X_API_KEY": key}
    return {"REMOTE_ADDR": address, "REQUEST_METHOD": method, **given}


def worker(settings, server, key=KEY, **others):
    """The Admission of a worker of its own."""
    redis = Redis(server.url, key)
    return Admission(Keyring(settings.keys_file), replace(settings, **others), redis)


def outcomes(workers, environ, times):
    """What each request came to, given to the workers in turn."""
    told = []
    for number in range(times):
        try:
            workers[number % len(workers)].caller(environ)
            told.append("in")
        except (CredentialError, TooManyRequestsError, RateUnknownError) as refusal:
            told.append(refusal.slug)
    return told


def test_a_rate_holds_for_all_workers_together(settings, server, key):
    workers = [worker(settings, server, requests_per_minute=6) for _ in range(3)]
    for client in (asked(), asked(key, "2.2.2.2"), asked(address="3.3.3.3")):
        assert outcomes(workers, client, 9) == ["in"] * 6 + ["too-many-requests"] * 3
    with pytest.raises(TooManyRequestsError) as refusal:
        workers[0].caller(asked())
    assert 0 < int(refusal.value.headers["Retry-After"]) <= 60


def test_wrong_keys_are_counted_by_all_workers_together(settings, server, key):
    workers = [worker(settings, server) for _ in range(2)]
    told = outcomes(workers, asked("wrong"), 14)
    assert told == ["invalid-credential"] * 10 + ["too-many-requests"] * 4
    # Both know of it now.
    assert outcomes(workers, asked(key), 2) == ["too-many-requests"] * 2
    assert outcomes(workers, asked(key, "2.2.2.2"), 2) == ["in"] * 2
    assert outcomes(workers, asked(), 2) == ["in"] * 2


def test_services_on_one_redis_count_by_themselves(settings, server):
    one = worker(settings, server, requests_per_minute=1)
    other = worker(settings, server, b"o" * 32, requests_per_minute=1)
    assert outcomes([one], asked(), 2) == outcomes([other], asked(), 2)


def test_a_count_ends_with_its_minute_and_names_nobody(settings, server):
    outcomes([worker(settings, server, requests_per_minute=9)], asked(address="192.0.2.77"), 3)
    with server.client() as client:
        (name,) = client.keys("*")
        assert client.get(name) == b"3"
        assert 0 < client.ttl(name) <= 60
    assert b"192.0.2.77" not in name
    assert name.startswith(Redis(server.url, KEY).prefix.encode())


def test_a_new_minute_that_redis_began_lets_in_again(settings, server, monkeypatch):
    # What one worker learnt from another ends when the count does.
    first, second = (worker(settings, server, requests_per_minute=4) for _ in range(2))
    assert outcomes([first], asked(), 4) == ["in"] * 4
    with server.client() as client:
        client.expire(*client.keys("*"), 2)
    assert outcomes([second], asked(), 2) == ["too-many-requests"] * 2
    time.sleep(2.2)
    assert outcomes([second], asked(), 1) == ["in"]


@pytest.mark.parametrize("how", ["gone", "full"])
def test_without_redis_reading_goes_on_and_a_refresh_is_refused(settings, server, key, how):
    admission = worker(settings, server)
    assert outcomes([admission], asked(key, method="POST"), 1) == ["in"]
    if how == "gone":
        server.kill()
    else:
        with server.client() as client:
            client.config_set("maxmemory", "1")
    assert outcomes([admission], asked(key), 2) == ["in"] * 2
    assert outcomes([admission], asked(key, method="POST"), 2) == ["rate-unknown"] * 2
    if how == "gone":
        server.start()
    else:
        with server.client() as client:
            client.config_set("maxmemory", "0")
    assert outcomes([admission], asked(key, method="POST"), 1) == ["in"]


def test_without_redis_each_worker_goes_on_to_count(settings, server, key):
    workers = [worker(settings, server, requests_per_minute=30) for _ in range(2)]
    assert outcomes(workers, asked("wrong"), 6) == ["invalid-credential"] * 6
    server.kill()
    told = outcomes(workers, asked("wrong"), 20)
    # Ten on each, of which it has seen three.
    assert told == ["invalid-credential"] * 14 + ["too-many-requests"] * 6
    assert outcomes(workers, asked(key), 1) == ["too-many-requests"]
    assert outcomes(workers[:1], asked(), 31) == ["in"] * 30 + ["too-many-requests"]


def test_where_nothing_is_counted_nothing_is_refused(settings, server, key):
    admission = worker(settings, server, guesses_per_minute=0)
    server.kill()
    assert outcomes([admission], asked(key, method="POST"), 1) == ["in"]
    assert outcomes([admission], asked("wrong"), 12) == ["invalid-credential"] * 12
