"""Limits: who guesses keys waits, and nobody asks more often than the settings let."""

from dataclasses import replace
from threading import Thread

import pytest

from app.access import limits
from app.access.admission import Admission, client_address
from app.access.keyfile import keep_key
from app.access.keyring import Keyring
from app.access.keys import new_key
from app.access.limits import Limit
from app.errors import CredentialError, TooManyRequestsError


@pytest.fixture
def clock(monkeypatch):
    """Turns the clock of limits forward."""
    told = [1000.0]
    monkeypatch.setattr(limits, "monotonic", lambda: told[0])
    return lambda seconds: told.__setitem__(0, told[0] + seconds)


@pytest.fixture
def key(settings):
    key, record = new_key("ann", "read")
    keep_key(settings.keys_file, record)
    return key


def asked(key=None, address="1.1.1.1", **others):
    given = {} if key is None else {"HTTP_X_API_KEY": key}
    return {"REMOTE_ADDR": address, **given, **others}


def test_a_minute_is_over_after_a_minute(clock):
    limit = Limit(2)
    for _ in range(2):
        limit.check("a")
        limit.count("a")
    clock(59.5)
    with pytest.raises(TooManyRequestsError) as refusal:
        limit.check("a")
    assert refusal.value.headers == {"Retry-After": "1"}
    limit.check("b")
    clock(0.5)
    limit.check("a")


def test_one_too_many_is_refused_when_it_is_counted(clock):
    limit = Limit(2)
    for _ in range(2):
        limit.count("a")
    for _ in range(2):
        with pytest.raises(TooManyRequestsError):
            limit.count("a")
    clock(60)
    limit.count("a")


def test_what_is_left_of_a_minute_can_be_taken(clock):
    limit = Limit(2)
    limit.fill("a", 20)
    for ask in (limit.check, limit.count):
        with pytest.raises(TooManyRequestsError):
            ask("a")
    clock(20.1)
    limit.check("a")
    limit.count("a")


def test_no_limit_is_none():
    limit = Limit(0)
    for _ in range(100):
        limit.count("a")
    limit.check("a")


def test_clients_are_bounded_and_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "_MOST_CLIENTS", 2)
    limit = Limit(1)
    for client in "abc":
        limit.count(client)
    limit.check("a")
    with pytest.raises(TooManyRequestsError):
        limit.check("c")


def test_threads_that_count_at_once_lose_none():
    limit = Limit(4000)
    threads = [Thread(target=lambda: [limit.count("a") for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(TooManyRequestsError):
        limit.check("a")


def test_who_guesses_waits_with_a_right_key_too_and_others_do_not(settings, key, clock):
    admission = Admission(Keyring(settings.keys_file), settings)
    for _ in range(10):
        with pytest.raises(CredentialError):
            admission.caller(asked("wrong"))
    for given in ("wrong", key):
        with pytest.raises(TooManyRequestsError):
            admission.caller(asked(given))
    assert admission.caller(asked()).key_id is None
    assert admission.caller(asked(key, "2.2.2.2")).key_id
    clock(60)
    assert admission.caller(asked(key)).key_id


def test_a_client_that_says_it_is_another_is_not_believed(settings, clock):
    admission = Admission(Keyring(settings.keys_file), settings)
    for number in range(10):
        with pytest.raises(CredentialError):
            admission.caller(asked("wrong", HTTP_X_FORWARDED_FOR=f"6.6.6.{number}"))
    with pytest.raises(TooManyRequestsError):
        admission.caller(asked("wrong", HTTP_X_FORWARDED_FOR="6.6.7.1"))


def test_a_rate_holds_for_a_key_wherever_it_is_and_else_for_an_address(settings, key, clock):
    told = replace(settings, requests_per_minute=2)
    admission = Admission(Keyring(settings.keys_file), told)
    for client in (asked(), asked(key, "2.2.2.2")):
        for _ in range(2):
            admission.caller(client)
    for client in (asked(), asked(key, "3.3.3.3")):
        with pytest.raises(TooManyRequestsError):
            admission.caller(client)
    assert admission.caller(asked(address="4.4.4.4")).key_id is None
    # Who probes would end a healthy process.
    for path in ("/health/live", "/health/ready"):
        assert admission.caller({**asked(), "PATH_INFO": path}).key_id is None


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("6.6.6.6", 0, "1.1.1.1"),
        ("6.6.6.6, 9.9.9.9", 1, "9.9.9.9"),
        ("6.6.6.6, 9.9.9.9,8.8.8.8", 2, "9.9.9.9"),
        ("6.6.6.6", 2, "1.1.1.1"),
        ("", 1, "1.1.1.1"),
        ("6.6.6.6,", 1, "1.1.1.1"),
    ],
)
def test_the_address_is_what_our_own_proxies_saw(forwarded, proxies, address):
    assert client_address(asked(HTTP_X_FORWARDED_FOR=forwarded), proxies) == address
