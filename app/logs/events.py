"""One event as one line of JSON. Whatever a field holds, it can neither break nor flood a line."""

import json
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from typing import Any

import orjson

Facts = dict[str, Any]

_MOST_BYTES = 2_048
_MOST_ITEMS = 50
_MOST_DEPTH = 4
_MOST_BITS = 256
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z
# A key, of which the id may be told; or a token, of which nothing may.
_CREDENTIAL = re.compile(
    r"(assay_[0-9A-Za-z]{8}_)[0-9A-Za-z]{38}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*", re.ASCII
)
# A logger's methods that are called otherwise than their level.
_LEVEL_OF = {"exception": "error", "warn": "warning"}


def hidden(text: str) -> str:
    """Give a text without the keys and tokens that may stand in it."""
    # Looking for how they begin takes a fiftieth of the time that the pattern takes.
    if "assay_" not in text and "eyJ" not in text:
        return text
    return _CREDENTIAL.sub(r"\1…", text)


def event_of(method: str, event: str | None, facts: Facts) -> Facts:
    """Give an event with its time and level; ``method`` is the logger's that was called.

    An exception is told in words at once: what it was raised in goes on meanwhile.
    """
    told: Facts = {
        "timestamp": datetime.now(UTC),
        "level": _LEVEL_OF.get(method, method),
        "event": event,
        **facts,
    }
    if "exc_info" in told:
        told |= _told_of(told.pop("exc_info"))
    return told


def line_of(facts: Mapping[str, object]) -> str:
    """Write fields as one line of JSON in ASCII, without the keys and tokens in them."""
    try:
        line = orjson.dumps(facts, option=_PLAIN)
    except TypeError:
        # What it does not know has to be made plain before.
        line = b""
    # In a line as short as that no field is too long.
    if line and len(line) <= _MOST_BYTES and line.isascii() and b"\x7f" not in line:
        return _hidden_in(line.decode())
    fields = {name: _field(value) for name, value in facts.items()}
    # Escaped down to ASCII, so that no line or terminal control is left.
    return _hidden_in(json.dumps(fields, ensure_ascii=True, separators=(",", ":")))


def _hidden_in(line: str) -> str:
    # What stands for a key is escaped too: a stream that takes ASCII only would lose the line.
    bare = hidden(line)
    return bare if bare is line else bare.replace("…", r"\u2026")


def _told_of(failed: object) -> dict[str, str]:
    """Give the fields that tell of an exception, in any form that loggers take it in."""
    if isinstance(failed, tuple):
        error = failed[1]
    else:
        error = (
            failed if isinstance(failed, BaseException) else sys.exc_info()[1] if failed else None
        )
    if error is None:
        return {}
    raw = hidden("".join(traceback.format_exception(error))).encode("utf-8", "backslashreplace")
    # The end of a traceback is the part that tells.
    cut = "…" if len(raw) > _MOST_BYTES else ""
    tail = cut + raw[-(_MOST_BYTES - len(cut.encode())) :].decode("utf-8", "ignore")
    return {"error": f"{type(error).__name__}: {_text(error)}", "traceback": tail}


def _field(value: object) -> object:
    try:
        plain = _plain(value, 0)
    # BLE001: as below; and a value may be changed while it is written.
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"
    if isinstance(plain, dict | list):
        text = json.dumps(plain)
        return plain if len(text) <= _MOST_BYTES else _cut(text)
    return plain


def _plain(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _cut(value)
    if value is None or isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if depth < _MOST_DEPTH and isinstance(value, Mapping):
        items = islice(value.items(), _MOST_ITEMS)
        return {_cut(_text(name)): _plain(each, depth + 1) for name, each in items}
    if depth < _MOST_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(each, depth + 1) for each in islice(value, _MOST_ITEMS)]
    return _cut(_text(value))


def _number(value: float | None) -> object:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


def _text(value: object) -> str:
    try:
        return str(value)
    # BLE001: a value that cannot say what it is must not fail its caller.
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    # What is cut afterwards would not be known as a key any more.
    text = hidden(text[: 2 * _MOST_BYTES])
    raw = text[:_MOST_BYTES].encode("utf-8", "backslashreplace")
    if len(raw) <= _MOST_BYTES and len(text) <= _MOST_BYTES:
        return raw.decode()
    return raw[: _MOST_BYTES - 3].decode("utf-8", "ignore") + "…"
