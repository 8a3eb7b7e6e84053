"""A body as JSON: refused by its length, its media type or its form before it is looked at."""

from threading import BoundedSemaphore
from time import monotonic

import orjson
from flask import request

from app.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    BusyError,
    InvalidBodyError,
    MalformedJsonError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
)
from app.formats import JSON
from app.settings import MOST_BODIES

_LARGEST_BODY = 64 * 1024
# Of a body that stops coming nothing more is heard, and no server interrupts who waits for it.
_LONGEST_WAIT_SECONDS = 0.2
_LONGEST_READ_SECONDS = 5.0


def turns() -> BoundedSemaphore:
    """Give the turns at reading bodies: who sends slowly keeps these from a few, no more."""
    return BoundedSemaphore(MOST_BODIES)


def json_object(turns: BoundedSemaphore) -> dict[str, object]:
    """Read the body of the current request as a JSON object; an empty body is an empty one.

    To be called when the caller's scope is settled: nobody else's body is read.

    Raises:
        BodyTooLargeError: it is larger than any we take.
        UnsupportedMediaTypeError: it is not said to be JSON.
        MalformedRequestError: it was cut on its way.
        MalformedJsonError: it is not JSON.
        InvalidBodyError: it is JSON, but no object.
        BodyTooSlowError: it comes bit by bit, for longer than we wait for one.
        BusyError: too many bodies are on their way.
    """
    length = request.content_length or 0
    if not length:
        return {}
    if length > _LARGEST_BODY:
        raise BodyTooLargeError(f"A body has at most {_LARGEST_BODY} bytes.", allowed=_LARGEST_BODY)
    if request.mimetype != JSON:
        raise UnsupportedMediaTypeError(f"The body must be {JSON}.", allowed=[JSON])
    try:
        given = orjson.loads(_content(length, turns))
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        raise MalformedJsonError("The body is not JSON.", errors=[place]) from error
    if not isinstance(given, dict):
        raise InvalidBodyError("The body is JSON, but no object.")
    return given


def _content(length: int, turns: BoundedSemaphore) -> bytes:
    if not turns.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise BusyError("Too many bodies are on their way; try again in a moment.")
    try:
        content = _read(length)
    finally:
        turns.release()
    if len(content) != length:
        # A body that was cut on its way reads as a shorter one, without any error.
        raise MalformedRequestError("The body is shorter than its Content-Length.")
    return content


def _read(length: int) -> bytes:
    """Read what has come, byte by byte: to ask for more is to wait until all of that is there."""
    stream, content = request.environ["wsgi.input"], bytearray()
    until = monotonic() + _LONGEST_READ_SECONDS
    while len(content) < length and (piece := stream.read(1)):
        content += piece
        if monotonic() > until:
            told = f"The body was not there after {_LONGEST_READ_SECONDS:g} seconds."
            raise BodyTooSlowError(told, allowed=_LONGEST_READ_SECONDS)
    return bytes(content)
