"""The reserve: one thread takes requests, and the others rest until it is held up."""

import time
from threading import Event, Thread

import pytest

from app.engine import Reserve


@pytest.fixture
def reserve():
    return Reserve(seconds=60)


def taking(reserve, seen, held=None):
    """A thread that has taken a request, and says when it would take the next one."""

    def take():
        reserve.comes()
        if held is not None:
            held.wait(10)
        reserve.rest()
        seen.append("next")
        # It waits for the next one as long as the test lasts.
        Event().wait()

    Thread(target=take, daemon=True).start()


def test_the_only_one_does_not_rest(reserve):
    for _ in range(3):
        reserve.comes()
        reserve.rest()
    assert reserve.resting == 0


def test_who_has_answered_rests_while_another_waits(reserve, wait_for):
    reserve.goes()
    seen = []
    for _ in range(3):
        taking(reserve, seen)
    wait_for(lambda: reserve.resting == 3)
    # This thread still waits for a request.
    reserve.call()
    assert (seen, reserve.resting) == ([], 3)
    reserve.comes()
    reserve.call()
    wait_for(lambda: seen == ["next"])
    assert reserve.resting == 2


def test_who_waited_so_long_that_it_may_be_gone_is_not_counted_on(wait_for):
    reserve, seen = Reserve(seconds=0.2), []
    reserve.goes()
    time.sleep(0.15)
    taking(reserve, seen)
    wait_for(lambda: seen == ["next"])
    assert reserve.resting == 0


def test_one_is_called_where_the_one_that_takes_requests_is_held_up(reserve, wait_for):
    held, seen = Event(), []
    reserve.goes()
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    reserve.comes()
    # Nobody says that it is, and nobody else comes.
    wait_for(lambda: seen == ["next"])
    taking(reserve, seen, held)
    time.sleep(0.1)
    assert seen == ["next"]
    held.set()
    wait_for(lambda: reserve.resting == 1)


def test_where_none_comes_for_long_one_takes_the_place_of_who_may_be_ended(wait_for):
    reserve, seen = Reserve(seconds=0.4), []
    reserve.goes()
    taking(reserve, seen)
    wait_for(lambda: reserve.resting == 1)
    assert seen == []
    wait_for(lambda: seen == ["next"])
