"""What a worker counts: nothing twice, nothing lost, and few kinds whatever clients send."""

import threading

import pytest

from app.metrics import BOUNDS, Kind, Tally

TOLD = {"route": "/a", "dataset": "items", "cache": "kept", "problem": "x"}


def counted(tally):
    return {kind: spread[:-1] for kind, spread in tally.grouped(lambda kind: kind).items()}


def test_a_request_is_counted_under_what_its_log_line_tells():
    tally = Tally()
    for _ in range(3):
        tally.count("GET", (200, 0.5), TOLD)
    tally.count("GET", (404, 0.25), {})
    assert tally.grouped(lambda kind: kind) == {
        Kind("GET", "/a", "items", 200, "kept"): [0.0] * 8 + [3.0] + [0.0] * 5 + [1.5],
        Kind("GET", None, None, 404, None): [0.0] * 7 + [1.0] + [0.0] * 6 + [0.25],
    }


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.001, 0), (0.0011, 1), (10.0, len(BOUNDS) - 1), (10.1, len(BOUNDS))],
)
def test_a_bucket_holds_its_upper_bound(seconds, bucket):
    tally = Tally()
    tally.count("GET", (200, seconds), TOLD)
    (spread,) = tally.grouped(lambda kind: kind).values()
    assert spread[bucket] == 1
    assert sum(spread[:-1]) == 1
    assert spread[-1] == seconds


def test_methods_that_clients_make_up_are_one():
    tally = Tally()
    for number in range(1_000):
        tally.count(f"M{number}", (405, 0.1), {})
    assert [kind.method for kind in tally.grouped(lambda kind: kind)] == ["other"]


def test_what_is_grouped_is_added_up():
    tally = Tally()
    for status in (200, 200, 304, 500):
        tally.count("GET", (status, 1.0), TOLD)
    groups = tally.grouped(lambda kind: kind.status // 100)
    assert {group: sum(spread[:-1]) for group, spread in groups.items()} == {2: 2, 3: 1, 5: 1}
    assert groups[2][-1] == 2.0


def test_two_tallies_add_up_and_go_through_json():
    one, other = Tally(), Tally()
    one.count("GET", (200, 0.5), TOLD)
    other.count("GET", (200, 0.25), TOLD)
    other.count("POST", (202, 0.5), {})
    one.add(Tally.from_fact(other.as_fact()))
    assert sum(map(sum, counted(one).values())) == 3
    assert one.as_fact()[0] == ["GET", "/a", "items", 200, "kept", *[0] * 7, 1, 1, *[0] * 5, 0.75]
    # The one that was added stays what it was.
    assert sum(map(sum, counted(other).values())) == 2


@pytest.mark.parametrize("fact", [[["GET"]], [["GET", "/a", "b", 200, None, 1.0]], 7, [7]])
def test_what_is_no_tally_is_refused(fact):
    with pytest.raises((TypeError, ValueError)):
        Tally.from_fact(fact)


def test_threads_lose_no_count():
    tally = Tally()

    def work():
        for number in range(5_000):
            tally.count("GET", (200, 0.001 * (number % 3)), TOLD)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(sum, counted(tally).values())) == 40_000
