"""A wrong key takes as long as any other, whichever way it is wrong."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from time import perf_counter_ns

import pytest

from app.access.keyfile import keep_key
from app.access.keyring import Keyring
from app.access.keys import new_key
from app.errors import CredentialError

PAST = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 3_000
# What differs is told apart from the noise of a busy machine, not from a network.
MOST_APART = 1.5
MOST_NANOSECONDS_APART = 20_000


def swapped(text, place):
    """Give a hash that differs in one of its digits."""
    other = "0" if text[place] != "0" else "1"
    return f"{other}{text[1:]}" if place == 0 else f"{text[:-1]}{other}"


@pytest.fixture
def wrong(tmp_path):
    """A keyring, and for each way to be wrong the headers of a key."""
    path, keys = tmp_path / "keys.json", {}
    for name, change in {
        "wrong from the first digit": lambda r: replace(r, sha256=swapped(r.sha256, 0)),
        "wrong in the last digit": lambda r: replace(r, sha256=swapped(r.sha256, -1)),
        "revoked": lambda r: replace(r, revoked_at=PAST),
        "expired": lambda r: replace(r, expires_at=PAST),
    }.items():
        keys[name], record = new_key("x", "read")
        keep_key(path, change(record))
    keys["unknown"], _ = new_key("x", "read")
    for _ in range(100):
        keep_key(path, new_key("others", "read")[1])
    return Keyring(path), keys


def test_every_wrong_key_takes_the_same_time(wrong):
    keyring, keys = wrong
    took, draw = {name: [] for name in keys}, random.Random(7)
    for _ in range(ROUNDS):
        for name in draw.sample(list(keys), len(keys)):
            started = perf_counter_ns()
            try:
                keyring.caller(None, keys[name])
            except CredentialError:
                took[name].append(perf_counter_ns() - started)
    medians = {name: median(each[ROUNDS // 10 :]) for name, each in took.items()}
    least, most = min(medians.values()), max(medians.values())
    assert {len(each) for each in took.values()} == {ROUNDS}
    assert most <= MOST_APART * least, medians
    assert most - least <= MOST_NANOSECONDS_APART, medians
