"""Values as JSON, without loss: the one table for every body and every document."""

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson

from app.query import JsonText, NanoTime, Rows, WideInteger

JSON = "application/json"

# Beyond it a reader that knows floats only would change an integer.
EXACT_INTEGER = 2**53
_OPTIONS = (
    orjson.OPT_NAIVE_UTC
    | orjson.OPT_UTC_Z
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
# With it each name takes twice as long.
_ANY_NAMES = _OPTIONS | orjson.OPT_NON_STR_KEYS


def json_bytes(body: object, *, wide_as_text: bool = False) -> bytes:
    """Write a body: mappings, sequences, Rows, and every value that a Table can hold.

    NaN and infinities are null, timestamps are UTC with ``Z``, decimals are text with their
    full scale, bytes are base64, durations are ISO 8601. With ``wide_as_text`` an integer
    beyond 2**53 is text too.
    """
    if wide_as_text:
        body = _narrowed(body)
    try:
        return orjson.dumps(body, default=_shown, option=_OPTIONS)
    except TypeError:
        # Hardly a body has names that are no text.
        return orjson.dumps(body, default=_shown, option=_ANY_NAMES)


def _narrowed(value: object) -> object:
    """Give the value with every integer in it that floats cannot hold as text."""
    if isinstance(value, int):
        return str(int(value)) if abs(value) > EXACT_INTEGER else value
    if isinstance(value, Mapping):
        return {name: _narrowed(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, Rows)):
        return [_narrowed(each) for each in value]
    return value


def plain(value: object) -> object:
    """Give one value as what a JSON reader would make of it."""
    return value if isinstance(value, int) else orjson.loads(json_bytes(value))


def _shown(value: object) -> object:
    show = _SHOWN.get(type(value))
    if show is not None:
        return show(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _duration(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    seconds = Decimal(value.seconds) + Decimal(value.microseconds) / 1_000_000
    return f"{sign}P{value.days}DT{seconds.normalize():f}S"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_SHOWN: Mapping[type, Callable[[Any], object]] = {
    Rows: list,
    JsonText: lambda value: orjson.Fragment(str(value)),
    NanoTime: str,
    WideInteger: lambda value: orjson.Fragment(str(int(value))),
    Decimal: lambda value: format(value, "f"),
    bytes: _base64,
    timedelta: _duration,
}
