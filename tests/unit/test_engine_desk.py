"""The desk: answers are made at the door, or one at a time by who may wait."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest
from structlog.testing import capture_logs

from app.engine import Desk, Hands, InLine, Later
from app.errors import BusyError


@pytest.fixture
def desk():
    return Desk(20, Hands(20))


def long_seconds(monkeypatch, seconds):
    for room in ("doors", "line"):
        monkeypatch.setattr(f"app.engine.{room}.LONG_SECONDS", seconds)


@pytest.fixture
def longer(monkeypatch):
    """Nobody's turn is taken while a test looks."""
    long_seconds(monkeypatch, 60.0)


@pytest.fixture
def crowded(monkeypatch):
    """A door that never stood open has a crowd before it, as far as it knows."""
    monkeypatch.setattr("app.engine.doors._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("app.engine.doors._OPEN", 1e9)


def test_what_can_be_answered_at_once_is_answered_at_the_door(desk):
    for _ in range(3):
        with desk.doors:
            desk.stay()
            assert desk.hurried
    assert not desk.hurried
    assert (desk.running, desk.waiting) == (0, 0)


def test_nobody_waits_at_a_door(desk):
    with pytest.raises(Later) as aside, desk.doors:
        desk.leave()
    with desk.doors:
        desk.stay()
        with pytest.raises(InLine):
            desk.leave()
    assert not isinstance(aside.value, InLine)
    # Nothing that handles failures takes it for one.
    assert not isinstance(aside.value, Exception)


def test_who_takes_no_notice_is_told_again(desk):
    """A plugin may hide what it does not know."""
    with desk.doors:
        desk.stay()
        with suppress(BaseException):
            desk.leave()
        with pytest.raises(InLine):
            desk.confirm()
    with desk.doors:
        desk.stay()
        desk.confirm()


def test_a_thread_that_is_nobody_s_may_do_as_it_likes(desk):
    desk.stay()
    desk.leave()
    assert desk.running == 0


def test_what_holds_up_one_door_holds_up_no_other(desk, monkeypatch):
    """Two of them: a plugin that waits keeps one, and never both."""
    monkeypatch.setattr("app.engine.doors._LOOK_SECONDS", 60.0)
    began, go_on, found = Event(), Event(), []

    def slow():
        with desk.doors:
            desk.stay()
            began.set()
            go_on.wait(10)

    def other():
        with desk.doors:
            found.append("kept")
            desk.stay()

    with ThreadPoolExecutor(2) as threads:
        threads.submit(slow)
        assert began.wait(5)
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(InLine):
                threads.submit(other).result()
            assert time.monotonic() - started < 1
        go_on.set()
    with desk.doors:
        desk.stay()
    assert found == ["kept"] * 3


def test_one_works_at_a_time_and_who_waited_longest_is_next(longer, desk, wait_for):
    at_work, most, order = [], [], []

    def work(name):
        at_work.append(name)
        most.append(len(at_work))
        order.append(name)
        time.sleep(0.005)
        at_work.remove(name)

    for name in range(8):
        desk.put(lambda name=name: work(name))
    wait_for(lambda: len(order) == 8 and not desk.running)
    assert (order, max(most)) == ([*range(8)], 1)


def test_who_leaves_lets_the_next_one_in_and_no_third(longer, desk, wait_for):
    began, go_on, left = [], Event(), Event()

    def first():
        desk.leave()
        # Whose turn is over already has none to pass on, however often he leaves.
        desk.leave()
        left.set()
        go_on.wait(5)

    def work(name):
        began.append(name)
        go_on.wait(5)

    desk.put(first)
    for name in "ab":
        desk.put(lambda name=name: work(name))
    assert left.wait(5)
    wait_for(lambda: began == ["a"])
    time.sleep(0.02)
    assert (began, desk.running, desk.waiting) == (["a"], 1, 1)
    go_on.set()
    wait_for(lambda: not desk.running)
    assert began == ["a", "b"]


def test_nobody_waits_long_for_who_waits_for_something_else(desk, wait_for):
    go_on, done = Event(), []
    desk.put(lambda: go_on.wait(5))
    for number in range(4):
        desk.put(lambda number=number: done.append(number))
    # Where nobody took the turn from the first, the others would never come to theirs.
    wait_for(lambda: done == [0, 1, 2, 3])
    go_on.set()
    wait_for(lambda: not desk.running)


def test_who_comes_to_a_full_line_is_refused(longer, wait_for):
    desk, began, go_on = Desk(2, Hands(4)), Event(), Event()
    desk.put(lambda: (began.set(), go_on.wait(5)))
    assert began.wait(5)
    desk.put(int)
    desk.put(int)
    with pytest.raises(BusyError):
        desk.put(int)
    go_on.set()
    wait_for(lambda: not desk.running)


def test_a_fault_gives_the_desk_back(desk, wait_for):
    done = Event()
    with capture_logs() as events:
        for _ in range(3):
            desk.put(lambda: 1 / 0)
        desk.put(done.set)
        assert done.wait(5)
        wait_for(lambda: len(events) == 3 and not desk.running)
    assert {each["event"] for each in events} == {"fault"}


def test_who_is_refused_keeps_nobody_in_line_waiting(longer, crowded, monkeypatch, wait_for):
    long_seconds(monkeypatch, 0.05)
    monkeypatch.setattr("app.engine.line._GATHER_SECONDS", 0.01)
    desk, done = Desk(1, Hands(2)), []
    with pytest.raises(InLine), desk.doors:
        desk.stay()
    desk.put(lambda: done.append("made"))
    until = time.monotonic() + 5
    while not done and time.monotonic() < until:
        with suppress(BusyError):
            desk.put(int)
    assert done == ["made"]


def test_a_crowd_stands_in_line_and_a_few_are_answered_at_the_door(crowded, monkeypatch, wait_for):
    desk, done, go_on = Desk(8, Hands(4)), [], Event()

    def come(number):
        try:
            with desk.doors:
                desk.stay()
                done.append("door")
        except InLine:
            desk.put(lambda: (done.append(number), go_on.wait(5)))

    monkeypatch.setattr("app.engine.line._GATHER_SECONDS", 0.5)
    for number in range(6):
        come(number)
    assert done == []
    go_on.set()
    wait_for(lambda: len(done) == 6 and not desk.running)
    # So many are a crowd, and none that comes is answered at the door until it is gone.
    come(6)
    wait_for(lambda: len(done) == 7 and not desk.running)
    monkeypatch.setattr("app.engine.doors._OPEN", 0.0)
    come(7)
    assert done == [*range(7), "door"]
