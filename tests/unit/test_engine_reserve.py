"""The reserve: one thread takes requests, and the others rest until it is held up."""

import time
from threading import Event, Thread

import pytest

from app.engine import Reserve


@pytest.fixture
def reserve():
    """One that this thread leads."""
    reserve = Reserve(seconds=60, called=0.2)
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
    time.sleep(0.2)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_all_are_called_where_the_next_request_is_there_again_and_again(reserve, wait_for):
    seen = []
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    for _ in range(10):
        time.sleep(0.001)
        reserve.comes()
        reserve.goes()
    assert seen == []

    def some_at_once():
        for _ in range(50):
            reserve.comes()
            reserve.goes()
        return seen == ["next"]

    wait_for(some_at_once)


def test_all_are_called_where_the_leader_is_held_up_as_long_as_it_is(reserve, wait_for):
    seen = []
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    reserve.comes()
    # Nobody says that it is, and nobody else comes.
    wait_for(lambda: seen == ["next"])
    time.sleep(0.5)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"] * 2)
    reserve.goes()
    time.sleep(0.3)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)


def test_another_leads_where_the_leader_may_be_gone(wait_for):
    reserve, seen = Reserve(seconds=1), []
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"])
    time.sleep(1.1)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"] * 2)
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
