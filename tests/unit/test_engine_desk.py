"""The desk: one answer is made at a time, unless its maker waits for something else."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.engine import Desk, Doorstep, Queue
from app.errors import BusyError


@pytest.fixture
def desk():
    return Desk(20, Doorstep(0))


@pytest.fixture
def longer(monkeypatch):
    """Nobody's turn is taken while a test looks."""
    monkeypatch.setattr("app.engine.desk._LONG_SECONDS", 60.0)


@pytest.fixture
def wait_for():
    def wait(told, seconds=5.0):
        until = time.monotonic() + seconds
        while not told() and time.monotonic() < until:
            time.sleep(0.002)
        assert told()

    return wait


def test_one_works_at_a_time_and_who_waited_longest_is_next(longer, wait_for):
    desk, at_work, most, order = Desk(20, Doorstep(0)), [], [], []

    def work(name):
        with desk:
            at_work.append(name)
            most.append(len(at_work))
            order.append(name)
            time.sleep(0.005)
            at_work.remove(name)

    with ThreadPoolExecutor(8) as threads, desk:
        for name in range(8):
            threads.submit(work, name)
            wait_for(lambda name=name: desk.queue.waiting == name + 1)
        desk.leave()
    assert (order, max(most)) == ([*range(8)], 1)


def test_who_leaves_lets_the_next_one_in_and_no_third(longer, wait_for):
    desk, began, go_on = Desk(20, Doorstep(0)), [], Event()

    def work(name):
        with desk:
            began.append(name)
            go_on.wait(5)

    with ThreadPoolExecutor(2) as threads:
        with desk:
            for count, name in enumerate("ab", 1):
                threads.submit(work, name)
                wait_for(lambda count=count: desk.queue.waiting == count)
            desk.leave()
            # Whose turn is over already has none to pass on, however often he leaves.
            desk.leave()
            wait_for(lambda: began == ["a"])
        time.sleep(0.02)
        assert began == ["a"]
        go_on.set()
    assert began == ["a", "b"]
    assert (desk.queue.running, desk.queue.waiting) == (0, 0)


def test_nobody_waits_long_for_who_waits_for_something_else(desk):
    slow, waited = Event(), []

    def work():
        started = time.monotonic()
        with desk:
            waited.append(time.monotonic() - started)

    with ThreadPoolExecutor(4) as threads, desk:
        for _ in range(4):
            threads.submit(work)
        # Where nobody took the turn from this one, the others would never come to theirs.
        slow.wait(0.2)
        assert len(waited) == 4
    assert desk.queue.running == 0


def test_a_fault_gives_the_desk_back(desk):
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), desk:
            raise ZeroDivisionError
    assert desk.queue.running == 0


def test_who_is_refused_is_told_a_moment_later_as_long_as_there_is_room(monkeypatch):
    monkeypatch.setattr("app.engine.queue._DOORSTEP_SECONDS", 0.6)
    queue = Queue(1, 0, doorstep=Doorstep(2))

    def refused(_):
        started = time.monotonic()
        with pytest.raises(BusyError), queue.turn():
            pass
        return time.monotonic() - started

    with queue.turn(), ThreadPoolExecutor(4) as threads:
        took = sorted(threads.map(refused, range(4)))
    # Two stand on the doorstep, and for two there is no room.
    assert took[1] < 0.25 < took[2]


def test_those_who_are_refused_together_are_not_told_together(monkeypatch):
    monkeypatch.setattr("app.engine.queue._DOORSTEP_SECONDS", 0.4)
    doorstep, told = Doorstep(12), []

    def stand(_):
        doorstep.stand()
        told.append(time.monotonic())

    started = time.monotonic()
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(stand, range(12)))
    assert min(told) - started > 0.19
    assert max(told) - min(told) > 0.1
