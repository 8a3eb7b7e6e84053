"""The WSGI front: pins the Generation, names the Caller, hands on, logs. Catches everything."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from functools import partial
from random import getrandbits
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from app.access import ANONYMOUS, Admission
from app.answers import KEPT, Addresses, Keeper, Pieces
from app.errors import InternalError, NoGenerationError, ServiceError
from app.generation import CurrentGeneration, Generation
from app.http import AFTER, REFUSAL, VISIT, App, Attempts, Visit, problem_reply
from app.metrics import Tally
from app.service.checking import check_address, check_headers
from app.service.manners import Headers, Manners

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger()

_PIECE = 256 * 1024
# A server may hold a list of bytes once for each connection; pieces it takes as they are sent.
_LONGEST_WHOLE = 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_KEPT = ("Server-Timing", KEPT)

Response = tuple[str, Headers, bytes | Pieces]
# An annotation of a function within another is evaluated whenever that one is made.
_Write = Callable[[bytes], object]


class Serving(Protocol):
    """What a front needs of its worker."""

    current: CurrentGeneration
    tally: Tally
    attempts: Attempts

    def app_for(self, generation: Generation | None) -> App:
        """Give the app of that Generation's shape."""


class Front:
    """The WSGI callable of a worker; serves any Generation, and none."""

    def __init__(
        self,
        worker: Serving,
        entrance: tuple[Admission, Manners],
        answers: tuple[Keeper, Addresses],
    ) -> None:
        self._worker = worker
        self._admission, self._manners = entrance
        self._keeper, self._addresses = answers
        self._log = log.bind()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; the Generation it got is held to the end of its body.

        Raises:
            Later: it is at a door that must not wait for it; it is to be begun again.
        """
        visit = environ.get(VISIT)
        if visit is None:
            visit = environ[VISIT] = Visit(_request_id(environ), ANONYMOUS, None)
        try:
            status, headers, body = self._response(environ, visit)
        except ServiceError as error:
            status, headers, body = self._refused(error, environ, visit)
        except Exception:
            log.exception("fault", request_id=visit.request_id)
            told = InternalError("The service met a fault; the log has it under this id.")
            status, headers, body = self._refused(told, environ, visit)
        headers = self._manners.dressed(headers, environ)
        headers.append(("X-Request-Id", visit.request_id))
        if visit.current is not None:
            headers.append(("X-Generation", str(visit.number)))
        start_response(status, headers)
        self._conclude(environ, visit, status)
        if environ["REQUEST_METHOD"] == "HEAD":
            return _nothing_of(body)
        if isinstance(body, Pieces):
            return body
        return [body] if len(body) <= _LONGEST_WHOLE else _pieces(body, visit.current)

    def _conclude(self, environ: Mapping[str, Any], visit: Visit, status: str) -> None:
        """Count a request, and finish it when its answer has left if that can be."""
        method, seconds = environ["REQUEST_METHOD"], perf_counter() - visit.started
        ended = (int(status[:3]), seconds)
        self._worker.tally.count(method, ended, visit.told)
        finish = partial(self._finish, method, ended, visit)
        if AFTER in environ:
            # The line holds what is bound now, such as the id of a trace.
            environ[AFTER].append(partial(copy_context().run, finish))
        else:
            finish()

    def _finish(self, method: str, ended: tuple[int, float], visit: Visit) -> None:
        """Keep what was made for a request, and tell of it in the log."""
        self._keeper.settle()
        if visit.address is not None and visit.known is not None:
            self._addresses.learn(visit.address, visit.known)
        status, seconds = ended
        self._log.info(
            "request",
            request_id=visit.request_id,
            method=method,
            status=status,
            ms=round(seconds * 1000, 2),
            generation=visit.number,
            key_id=visit.caller.key_id,
            **{"route": None, "cache": "none", **visit.told},
        )

    def _response(self, environ: "WSGIEnvironment", visit: Visit) -> Response:
        if REFUSAL in environ:
            raise environ.pop(REFUSAL)
        if not visit.admitted:
            check_address(environ)
            check_headers(environ)
        preflight = self._manners.preflight(environ)
        if preflight is not None:
            return "204 NO CONTENT", preflight, b""
        try:
            visit.current = visit.today = self._worker.current.pin()
        except NoGenerationError:
            # Health and refresh work without one; a view that needs one refuses by itself.
            visit.current = visit.today = None
        if not visit.admitted:
            visit.caller = self._admission.caller(environ)
            visit.admitted = True
        visit.address = _address(environ, visit)
        if visit.address is not None:
            leaving = self._leaving(visit.address, environ, visit)
            if leaving is not None:
                return leaving
        return _called(self._worker.app_for(visit.current), environ)

    def _leaving(self, address: str, environ: "WSGIEnvironment", visit: Visit) -> Response | None:
        """Give what is kept for an address, or that nothing changed; None where Flask must look."""
        known = self._addresses.find(address)
        if known is None:
            return None
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None:
            if asked != known.etag:
                return None
            visit.leave(known, "revalidated")
            return "304 NOT MODIFIED", list(known.shared), b""
        answer = self._keeper.kept(known.identity)
        if answer is None:
            return None
        visit.leave(known, "kept")
        length = ("Content-Length", str(len(answer.body)))
        return "200 OK", [*known.shared, *known.own, _KEPT, length], answer.body

    def _refused(self, error: ServiceError, environ: "WSGIEnvironment", visit: Visit) -> Response:
        visit.told.update(problem=error.slug)
        self._worker.attempts.refused(environ, visit, error)
        status, headers, body = problem_reply(error, visit.request_id)
        return status, list(headers.items()), body


def _address(environ: Mapping[str, Any], visit: Visit) -> str | None:
    """Write all that an Answer may depend on; None for a request that no kept one answers."""
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or visit.today is None:
        return None
    if "HTTP_RANGE" in environ:
        return None
    # Who holds other scopes may have to be told something else, or that there is nothing.
    rights = (visit.today.name, ",".join(sorted(visit.caller.scopes)))
    asked = (environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""))
    liked = (environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", ""))
    return "\n".join((*rights, *asked, *liked))


def _called(app: App, environ: "WSGIEnvironment") -> Response:
    """Have an app answer, and take its whole response; of a file, what sends it."""
    reply = app.reply(environ)
    if reply is not None:
        return reply.status, list(reply.headers.items()), reply.body
    taken: list[tuple[str, Headers]] = []

    def start(status: str, headers: Headers, *_: Any) -> _Write:  # noqa: ANN401
        taken.append((status, headers))
        return lambda _: None

    parts = app(environ, start)
    status, headers = taken[-1]
    if isinstance(parts, Pieces):
        return status, headers, parts
    try:
        body = b"".join(parts)
    finally:
        close: Callable[[], object] = getattr(parts, "close", lambda: None)
        close()
    return status, headers, body


def _request_id(environ: Mapping[str, Any]) -> str:
    given: str | None = environ.get("HTTP_X_REQUEST_ID")
    if given and _REQUEST_ID.fullmatch(given):
        return given
    # No secret: to ask the system for each one would let go of the interpreter.
    return getrandbits(64).to_bytes(8, "big").hex()


def _nothing_of(body: bytes | Pieces) -> Iterable[bytes]:
    if isinstance(body, Pieces):
        body.close()
    return []


def _pieces(body: bytes, held: Generation | None) -> Iterator[bytes]:  # noqa: ARG001 - held by the frame
    view = memoryview(body)
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])
