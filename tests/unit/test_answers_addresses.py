"""What is known of addresses: found while nothing changed, bounded, the hot ones stay."""

import os
from concurrent.futures import ThreadPoolExecutor
from time import time

import pyarrow as pa
import pytest

from app.answers import ENCODINGS, Addresses, Answer, Identity, Known, encoded


def known(number=1, until=float("inf")):
    identity = Identity(number, "/items", "[]", "fresh")
    return Known(identity, (("ETag", 'W/"x"'),), (("Content-Type", "t"),), {}, number, until)


def test_an_address_is_found_until_its_freshness_changes():
    addresses = Addresses(10_000)
    addresses.learn("a", known(until=time() + 60))
    addresses.learn("b", known(until=time() - 1))
    assert addresses.find("a") == known(until=addresses.find("a").until)
    assert addresses.find("a").etag == 'W/"x"'
    assert addresses.find("b") is None
    assert addresses.find("c") is None


def test_a_hundred_thousand_addresses_take_no_more_room_and_the_hot_ones_stay():
    addresses = Addresses(1_000_000)
    hot = [f"hot {n}" for n in range(50)]
    for each in hot:
        addresses.learn(each, known())
    for n in range(100_000):
        addresses.learn(f"cold {n}", known())
        if n % 100 == 0:
            assert all(addresses.find(each) for each in hot)
    assert addresses.bytes <= 1_000_000
    assert addresses.find("cold 99999") is not None
    assert addresses.find("cold 1") is None


def test_an_address_that_is_learned_again_counts_once():
    addresses = Addresses(10_000)
    addresses.learn("a", known(1))
    once = addresses.bytes
    addresses.learn("a", known(2))
    assert addresses.bytes == once
    assert addresses.find("a").generation == 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_many_threads_encode_at_once(encoding):
    bodies = [os.urandom(4_000).hex().encode() + bytes(50_000) for _ in range(64)]
    codec = pa.Codec({"br": "brotli"}.get(encoding, encoding))
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda body: encoded(Answer(body, {}), encoding), bodies * 4))
    for body, answer in zip(bodies * 4, made, strict=True):
        assert codec.decompress(answer.body, len(body), asbytes=True) == body


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_comes_back_from_each_encoding(encoding):
    answer = Answer(b'{"a":1}' * 1000, {"Content-Type": "application/json"})
    made = encoded(answer, encoding)
    assert made.headers["Content-Encoding"] == encoding
    assert len(made.body) < len(answer.body) / 10
    codec = {"br": "brotli"}.get(encoding, encoding)
    decoded = pa.decompress(made.body, len(answer.body), codec=codec, asbytes=True)
    assert decoded == answer.body


def test_a_short_body_is_left_as_it_is():
    answer = Answer(b"{}", {"Content-Type": "application/json"})
    assert encoded(answer, "gzip") is answer
