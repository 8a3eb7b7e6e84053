"""The reserve: one thread takes requests, and the others rest until it is held up."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

import app.engine.reserve
from app.engine import Reserve
from app.engine.doors import Doors


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def reserve(doors):
    """One that this thread leads."""
    reserve = Reserve(doors, seconds=60, called=1)
    reserve.comes()
    reserve.rest()
    return reserve


def taking(reserve, seen):
    """A thread that has taken a request, and says when it would take the next one."""

    def take():
        reserve.comes()
        reserve.rest()
        seen.append("next")
        # It waits for the next one as long as the test lasts.
        Event().wait()

    Thread(target=take, daemon=True).start()


def work(doors):
    """Work for an answer that takes long."""
    with doors:
        assert doors.comes_to_work()
        time.sleep(0.011)


def test_who_leads_does_not_rest(reserve):
    for _ in range(3):
        reserve.comes()
        reserve.rest()
    assert reserve.resting == 0


def test_the_others_rest_until_all_are_called(reserve, wait_for):
    seen = []
    for _ in range(3):
        taking(reserve, seen)
    wait_for(lambda: reserve.resting == 3)
    reserve.call()
    wait_for(lambda: seen == ["next"] * 3)
    assert reserve.resting == 0


def test_nobody_rests_for_a_while_after_all_were_called(reserve, wait_for):
    seen = []
    reserve.call()
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"])
    time.sleep(1)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_all_are_called_by_a_leader_whose_answers_took_long_twice_in_a_second(
    reserve, doors, wait_for, monkeypatch
):
    monkeypatch.setattr(app.engine.reserve, "_LOOK_SECONDS", 60)
    seen = []
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)

    def held_up(working):
        # So long a client takes to ask again.
        time.sleep(0.001)
        reserve.comes()
        if working:
            work(doors)
        else:
            time.sleep(0.011)
        reserve.goes()

    held_up(working=True)
    time.sleep(1)
    held_up(working=True)
    # It was the machine that had something else to do, or another one that worked.
    for _ in range(3):
        held_up(working=False)
    with ThreadPoolExecutor(1) as another:
        reserve.comes()
        another.submit(work, doors).result()
        reserve.goes()
    assert seen == []
    held_up(working=True)
    wait_for(lambda: seen == ["next"])


def test_who_is_called_holds_up_the_others_and_calls_nobody(reserve, doors, wait_for, monkeypatch):
    monkeypatch.setattr(app.engine.reserve, "_LOOK_SECONDS", 60)
    until, seen = time.monotonic() + 1, []
    reserve.call()
    while time.monotonic() < until - 0.3:
        reserve.comes()
        work(doors)
        reserve.goes()
    # One that came before the end goes after it, wherever the machine took its time since the call.
    reserve.comes()
    work(doors)
    time.sleep(0.6)
    reserve.goes()
    reserve.comes()
    work(doors)
    reserve.goes()
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_all_are_called_where_the_leader_is_held_up_as_long_as_it_is(reserve, wait_for):
    seen = []
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    reserve.comes()
    # Nobody says that it is, and nobody else comes.
    wait_for(lambda: seen == ["next"])
    time.sleep(1.5)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"] * 2)
    reserve.goes()
    time.sleep(1.1)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_another_leads_where_the_leader_may_be_gone(wait_for):
    reserve, seen = Reserve(Doors(), seconds=2), []
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"])
    time.sleep(2.1)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"] * 2)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_all_are_back_before_the_leader_may_be_gone(wait_for):
    reserve, seen = Reserve(Doors(), seconds=1), []
    reserve.comes()
    reserve.rest()
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    wait_for(lambda: seen == ["next"], seconds=0.5)
    time.sleep(0.3)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"] * 2)
    assert reserve.resting == 0
