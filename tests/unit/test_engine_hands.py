"""Hands: threads for what takes its time, and the doorstep for who is told in a moment."""

import time
import weakref
from functools import partial
from threading import Barrier, Event, get_ident

import pytest
from structlog.testing import capture_logs

from app.engine import Doorstep, Hands


def test_there_are_as_many_threads_as_are_busy_at_once():
    hands, together = Hands(8), Barrier(4)
    for _ in range(3):
        hands.put(lambda: together.wait(5))
    together.wait(5)
    assert hands.count == 3


def test_what_a_task_held_is_let_go_when_it_is_done(wait_for):
    class Held:
        pass

    hands, seen = Hands(4), []
    for _ in range(3):
        held = Held()
        seen.append(weakref.ref(held))
        hands.put(partial(id, held))
        del held
    wait_for(lambda: not any(each() for each in seen))
    assert hands.count > 0


def test_what_finds_no_thread_waits_for_one():
    hands, go_on, order = Hands(1), Event(), []
    hands.put(lambda: go_on.wait(5))
    for number in range(3):
        hands.put(lambda number=number: order.append(number))
    assert (order, hands.count) == ([], 1)
    done = Event()
    hands.put(done.set)
    go_on.set()
    assert done.wait(5)
    assert order == [0, 1, 2]


def test_who_has_nothing_to_do_for_long_goes_and_others_come(monkeypatch, wait_for):
    monkeypatch.setattr("app.engine.hands._IDLE_SECONDS", 0.05)
    hands, threads = Hands(4), []
    for _ in range(2):
        done = Event()
        hands.put(lambda done=done: (threads.append(get_ident()), done.set()))
        assert done.wait(5)
        wait_for(lambda: hands.count == 0)
    assert len(threads) == 2


def test_thousands_of_tasks_are_each_done_once(monkeypatch, wait_for):
    # So that threads go while tasks come.
    monkeypatch.setattr("app.engine.hands._IDLE_SECONDS", 0.0005)
    hands, done = Hands(3), []
    for number in range(3000):
        hands.put(lambda number=number: done.append(number))
        if number % 50 == 0:
            time.sleep(0.001)
    wait_for(lambda: len(done) == 3000)
    assert sorted(done) == [*range(3000)]


def test_a_fault_ends_no_thread():
    hands, done = Hands(1), Event()
    with capture_logs() as events:
        hands.put(lambda: 1 / 0)
        hands.put(done.set)
        assert done.wait(5)
    assert hands.count == 1
    assert [each["event"] for each in events] == ["fault"]


def test_who_is_refused_is_told_a_moment_later_as_long_as_there_is_room(monkeypatch, wait_for):
    monkeypatch.setattr("app.engine.doorstep._SECONDS", 0.6)
    hands, took = Hands(4), []
    doorstep, started = Doorstep(2, hands), time.monotonic()
    for _ in range(4):
        doorstep.tell(lambda: took.append(time.monotonic() - started))
    wait_for(lambda: len(took) == 4)
    # Two stand on the doorstep, and for two there is no room.
    assert took[1] < 0.25 < took[2]
    # Nobody waited for them.
    assert hands.count <= 2


@pytest.mark.parametrize("way", ["stand", "tell"])
def test_those_who_are_refused_together_are_not_told_together(monkeypatch, wait_for, way):
    monkeypatch.setattr("app.engine.doorstep._SECONDS", 0.4)
    hands, told = Hands(12), []
    doorstep, started = Doorstep(12, hands), time.monotonic()
    for _ in range(12):
        if way == "tell":
            doorstep.tell(lambda: told.append(time.monotonic()))
        else:
            hands.put(lambda: (doorstep.stand(), told.append(time.monotonic())))
    wait_for(lambda: len(told) == 12)
    assert min(told) - started > 0.19
    assert max(told) - min(told) > 0.1
