"""The door sends an answer before what may wait, and what may take long after it."""

import time
from contextlib import suppress
from threading import Event, Semaphore, Thread

import pytest

import app.engine.reserve
from app.engine import Desk, Doorstep, Hands, InLine, Later
from app.http import AFTER
from app.service.door import Door
from app.settings import SENDERS

VISITED = "test.visited"


class Sender:
    """What granian sends by: it takes a whole body at once, and pieces when it is told to."""

    def __init__(self, seen):
        self.seen, self.taken, self.sent = seen, Event(), Semaphore(0)

    def response_bytes(self, status, _, body):
        self.seen.append(f"{status} {body.decode()}")

    def response_iter(self, status, _, body):
        self.taken.wait()
        self.seen.append(f"{status} {next(body).decode()}")
        self.sent.release()


def door_of(body, seen, desk=None):
    def front(environ, start_response):
        if "wsgi.input" in environ:
            environ["wsgi.input"].read()
        if isinstance(body, type) and VISITED not in environ:
            environ[VISITED] = True
            raise body
        start_response("200 OK", [])
        environ[AFTER].append(lambda: seen.append("told"))
        return [] if isinstance(body, type) else body

    hands = Hands(2)
    return Door(front, desk or Desk(2, hands), (hands, Doorstep(2, hands)))


def test_a_whole_answer_leaves_before_it_is_told():
    seen = []
    door_of([b"a", b"b"], seen)(Sender(seen), {"REQUEST_METHOD": "GET"})
    assert seen == ["200 ab", "told"]


@pytest.mark.parametrize(
    ("asked", "body", "rests"),
    [
        ({"REQUEST_METHOD": "GET"}, [b"a"], True),
        ({"REQUEST_METHOD": "HEAD"}, [], True),
        ({"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "5"}, [b"a"], False),
        ({"REQUEST_METHOD": "GET", "HTTP_TRANSFER_ENCODING": "chunked"}, [b"a"], False),
        ({"REQUEST_METHOD": "GET"}, (b"piece",), False),
        ({"REQUEST_METHOD": "POST"}, [b"a"], False),
        ({"REQUEST_METHOD": "GET"}, Later, False),
        ({"REQUEST_METHOD": "GET"}, InLine, False),
        ({"REQUEST_METHOD": "GET"}, ValueError, False),
    ],
)
def test_who_has_answered_and_left_nothing_to_read_rests(asked, body, rests, wait_for):
    """Another thread leads; granian reads no more of a request whose call has come back."""
    door, ended = door_of(body, []), Event()
    sender = Sender([])
    sender.taken.set()
    door.reserve.comes()
    door.reserve.goes()

    def call():
        with suppress(ValueError):
            door(sender, asked)
        ended.set()

    Thread(target=call, daemon=True).start()
    if rests:
        wait_for(lambda: door.reserve.resting == 1)
        # It keeps nothing of the request.
        assert asked == {}
    else:
        assert ended.wait(5)
    assert (ended.is_set(), door.reserve.resting) == (not rests, int(rests))


def have_some_rest(door, wait_for):
    """Have this thread lead, and three others rest."""
    door.reserve.comes()
    door.reserve.goes()
    for _ in range(3):
        Thread(target=door.reserve.rest, daemon=True).start()
    wait_for(lambda: door.reserve.resting == 3)


def test_who_finds_half_of_the_line_taken_calls_all(wait_for, monkeypatch):
    monkeypatch.setattr(app.engine.reserve, "_LOOK_SECONDS", 60)
    desk, held = Desk(4, Hands(1)), Event()
    door = door_of(InLine, [], desk)
    have_some_rest(door, wait_for)
    desk.put(held.wait)
    wait_for(lambda: desk.running and not desk.waiting)
    for waiting in range(2):
        assert desk.waiting == waiting
        door(Sender([]), {"REQUEST_METHOD": "GET"})
    # So long who was called would take to come.
    time.sleep(0.1)
    assert door.reserve.resting == 3
    door(Sender([]), {"REQUEST_METHOD": "GET"})
    wait_for(lambda: door.reserve.resting == 0)
    held.set()


class Slow:
    """A body that does not come before it is told to."""

    def __init__(self):
        self.comes = Event()

    def read(self, _size=-1):
        self.comes.wait()
        return b""


def test_who_waits_for_a_body_calls_all(wait_for):
    door, slow = door_of([b"a"], []), Slow()
    have_some_rest(door, wait_for)
    asked = {
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "5",
        "HTTP_X_API_KEY": "k",
        "wsgi.input": slow,
    }
    Thread(target=door, args=(Sender([]), asked), daemon=True).start()
    wait_for(lambda: door.reserve.resting == 0)
    slow.comes.set()


def test_an_answer_in_pieces_is_told_though_others_keep_all_senders():
    seen = []
    door, sender = door_of((b"piece",), seen), Sender(seen)
    for _ in range(SENDERS + 1):
        door(sender, {"REQUEST_METHOD": "GET"})
    assert seen == ["told"] * (SENDERS + 1)
    sender.taken.set()
    assert all(sender.sent.acquire(timeout=10) for _ in range(SENDERS + 1))
    assert seen.count("200 piece") == SENDERS + 1
