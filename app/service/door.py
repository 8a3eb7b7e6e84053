"""The door: where granian's requests come in, and which of them are answered right there.

A WSGI callable answers in the thread that calls it, so a server needs a thread for each request
that waits. What granian calls itself may answer later: here one thread takes all requests as
long as it can, and a few when it cannot. Those that have to wait do so elsewhere.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from granian.server import mp

from app.engine import Desk, Doorstep, Hands, InLine, Later, Reserve
from app.errors import BusyError
from app.http import AFTER, REFUSAL
from app.service.manners import Headers
from app.service.worker import worker_from_environment
from app.settings import DOOR_SECONDS, MOST_BODIES, SENDERS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Few threads want the interpreter at once here, so who has it can be asked for it sooner.
_SWITCH_SECONDS = 0.001
_READING = {"GET", "HEAD"}
_BODY = {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"}
_CREDENTIALS = {"HTTP_AUTHORIZATION", "HTTP_X_API_KEY"}
_ALWAYS: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class Sender(Protocol):
    """What granian takes an answer by, from any thread."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer whose body is at hand."""

    def response_iter(self, status: int, headers: Headers, body: object) -> None:
        """Send an answer piece by piece; comes back when its client has taken it."""


@dataclass(slots=True)
class _Request:
    """One request, and what comes of it; WSGI's ``start_response`` too."""

    sender: Sender
    environ: dict[str, Any]
    status: int = 0
    headers: Headers = field(default_factory=list)
    body: Iterable[bytes] = ()
    after: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environ[AFTER] = self.after

    def __call__(self, status: str, headers: Headers, *_: object) -> Callable[[bytes], object]:
        self.status, self.headers = int(status[:3]), headers
        return lambda _: None

    def send(self) -> None:
        """Send what was answered."""
        if isinstance(self.body, list):
            self.sender.response_bytes(self.status, self.headers, b"".join(self.body))
        else:
            self.sender.response_iter(self.status, self.headers, _Pieces(self.body))

    def finish(self) -> None:
        """Do what was left for when the answer is on its way."""
        for each in self.after:
            each()


class _Pieces:
    """A body as granian asks for it."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(body)
        self.close: Callable[[], object] = getattr(body, "close", lambda: None)

    def __next__(self) -> bytes:
        return next(self._pieces)


class _Body:
    """A body on its way: its door waits until it is ``done``, as granian takes no more after."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream, self._left = stream, length
        self.done = Event()

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; none where it ends too soon."""
        piece = self._stream.read(size)
        self._left -= len(piece)
        if self._left <= 0 or not piece:
            self.done.set()
        return piece


class Door:
    """Has a WSGI callable answer at once, and what it would hold up by others."""

    def __init__(
        self, front: "WSGIApplication", desk: Desk, others: tuple[Hands, Doorstep]
    ) -> None:
        self._front, self._desk = front, desk
        self._hands, self._doorstep = others
        # Who reads slowly keeps one of these, and others that read as much waiting.
        self._senders = Hands(SENDERS)
        self._bodies = Semaphore(MOST_BODIES)
        self.reserve = Reserve(desk.doors, DOOR_SECONDS)

    def __call__(self, sender: Sender, scope: dict[str, Any]) -> None:
        """Take one request; it may be answered when this has come back."""
        self.reserve.comes()
        go_on = self.reserve.goes
        try:
            scope.update(_ALWAYS)
            if self._take(_Request(sender, scope)):
                # Who rests keeps nothing of it.
                scope.clear()
                go_on = self.reserve.rest
        finally:
            go_on()

    def _take(self, request: _Request) -> bool:
        """Take one request; tell whether it is answered, and nothing of it is left to read."""
        # Only what reads can be begun again.
        if request.environ["REQUEST_METHOD"] not in _READING:
            self._take_in(request)
            return False
        try:
            with self._desk.doors:
                request.body = self._front(request.environ, request)
        except InLine:
            self._stand_in_line(request)
            return False
        except Later:
            self._hands.put(partial(self._answer, request))
            return False
        self._send(request)
        return isinstance(request.body, list) and _BODY.isdisjoint(request.environ)

    def _take_in(self, request: _Request) -> None:
        """Have a request answered inside, and wait for its body if it has one."""
        length = request.environ.get("CONTENT_LENGTH", "0")
        unknown = _CREDENTIALS.isdisjoint(request.environ)
        if unknown or not length.isdecimal() or not int(length):
            # Of who does not say who it is no body is read.
            self._hands.put(partial(self._answer, request))
        elif self._bodies.acquire(blocking=False):
            body = _Body(request.environ["wsgi.input"], int(length))
            request.environ["wsgi.input"] = body

            def answer() -> None:
                try:
                    self._answer(request)
                finally:
                    body.done.set()

            try:
                self._hands.put(answer)
                self.reserve.call()
                body.done.wait()
            finally:
                self._bodies.release()
        else:
            told = "Too many bodies are on their way; try again in a moment."
            request.environ[REFUSAL] = BusyError(told)
            self._hands.put(partial(self._answer, request))

    def _answer(self, request: _Request) -> None:
        request.body = self._front(request.environ, request)
        self._send(request)

    def _send(self, request: _Request) -> None:
        if isinstance(request.body, list):
            try:
                request.send()
            finally:
                request.finish()
        else:
            # Its client may take long to read it, and so may those whose turn is before.
            request.finish()
            self._senders.put(request.send)

    def _stand_in_line(self, request: _Request) -> None:
        answer = partial(self._answer, request)
        if self._desk.half_taken:
            self.reserve.call()
        try:
            self._desk.put(answer)
        except BusyError as error:
            request.environ[REFUSAL] = error
            self._doorstep.tell(answer)


def door_from_environment() -> Door:
    """Make a worker by the environment's settings, and have granian call its door.

    granian has no setting for that: what would make a WSGI callable of it is replaced before, in
    this process. Where that failed no request would be answered.
    """
    worker = worker_from_environment()
    door = Door(worker.front(), worker.desk, (worker.hands, worker.doorstep))
    vars(mp)["_wsgi_call_wrap"] = lambda given, *_: given
    sys.setswitchinterval(_SWITCH_SECONDS)
    return door
