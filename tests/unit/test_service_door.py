"""The door sends an answer before what may wait, and what may take long after it."""

from threading import Event, Semaphore

from app.engine import Desk, Doorstep, Hands
from app.http import AFTER
from app.service.door import Door
from app.settings import SENDERS


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


def door_of(body, seen):
    def front(environ, start_response):
        start_response("200 OK", [])
        environ[AFTER].append(lambda: seen.append("told"))
        return body

    hands = Hands(2)
    return Door(front, Desk(2, hands), (hands, Doorstep(2, hands)))


def test_a_whole_answer_leaves_before_it_is_told():
    seen = []
    door_of([b"a", b"b"], seen)(Sender(seen), {"REQUEST_METHOD": "GET"})
    assert seen == ["200 ab", "told"]


def test_an_answer_in_pieces_is_told_though_others_keep_all_senders():
    seen = []
    door, sender = door_of((b"piece",), seen), Sender(seen)
    for _ in range(SENDERS + 1):
        door(sender, {"REQUEST_METHOD": "GET"})
    assert seen == ["told"] * (SENDERS + 1)
    sender.taken.set()
    assert all(sender.sent.acquire(timeout=10) for _ in range(SENDERS + 1))
    assert seen.count("200 piece") == SENDERS + 1
