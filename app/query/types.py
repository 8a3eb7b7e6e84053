"""The table of types: how a parameter is read, what may be asked of it, how JSON shows it.

Parameters and their documentation are both made from this one table.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import isfinite

from app.query.rows import NanoTime, WideInteger

EQUALITY = ("eq", "ne", "in", "not_in")
ORDER = ("gt", "gte", "lt", "lte")
TEXT = ("contains", "icontains", "startswith")
NULLS = ("isnull",)
_COMPARED = (*EQUALITY, *ORDER, *NULLS)
OPERATORS = (*EQUALITY, *ORDER, *TEXT, *NULLS)

# The widest integer of the engine; digits beyond it can match no row.
WIDEST = 2**127
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Digits of a second beyond microseconds, as far as they say anything.
_FINER = re.compile(r"[.,][0-9]{6}(?!0+(?:[^0-9]|$))([0-9]{1,3})(?:[^0-9]|$)")
MOST_DIGITS = 38


@dataclass(frozen=True, slots=True)
class Type:
    """One type of column: its reader, its operators, its JSON Schema, and what to say of it."""

    name: str
    expected: str
    read: Callable[[str], object]
    operators: tuple[str, ...]
    json_schema: Mapping[str, object]


def _integer(text: str) -> int:
    value = int(text) if text.lstrip("+-").isascii() and text.lstrip("+-").isdigit() else None
    if value is None or not -WIDEST < value < WIDEST:
        raise ValueError(text)
    return value if -(2**63) <= value < 2**63 else WideInteger(value)


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not value.is_finite() or "_" in text or len(value.as_tuple().digits) > MOST_DIGITS:
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


# Those who look at the same figures ask for the same days.
@lru_cache(maxsize=4096)
def _date(text: str) -> date:
    # Python reads 2026-W05-6 too.
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime | NanoTime:
    value = datetime.fromisoformat(text)
    settled = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    finer = _FINER.search(text)
    if finer is None:
        return settled
    # Python reads nine digits of a second and forgets three.
    return NanoTime(f"{settled.isoformat(timespec='microseconds')}{finer[1]}")


def _time(text: str) -> time:
    value = time.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError(text)
    return value


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error


def _unreadable(text: str) -> object:
    raise ValueError(text)


def _schema(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, **more}


TYPES: Mapping[str, Type] = {
    each.name: each
    for each in (
        Type("integer", "a whole number", _integer, _COMPARED, _schema("integer")),
        Type("number", "a number", _number, _COMPARED, _schema("number")),
        Type(
            "decimal", "a decimal number such as 12.50", _decimal, _COMPARED,
            _schema("string", format="decimal"),
        ),
        Type("string", "text", str, OPERATORS, _schema("string")),
        Type("boolean", "true or false", _boolean, (*EQUALITY, *NULLS), _schema("boolean")),
        Type(
            "date", "an ISO date such as 2026-01-31", _date, _COMPARED,
            _schema("string", format="date"),
        ),
        Type(
            "time", "an ISO time such as 13:45:00", _time, _COMPARED,
            _schema("string", format="time"),
        ),
        Type(
            "timestamp", "an ISO timestamp such as 2026-01-31T13:45:00Z", _timestamp,
            _COMPARED, _schema("string", format="date-time"),
        ),
        Type(
            "binary", "base64", _binary, (*EQUALITY, *NULLS),
            _schema("string", contentEncoding="base64"),
        ),
        Type(
            "duration", "nothing: a month is no number of days", _unreadable, NULLS,
            _schema("string", format="duration"),
        ),
        Type("json", "nothing: JSON cannot be compared", _unreadable, NULLS, {}),
        Type(
            "list", "nothing: lists cannot be compared", _unreadable, NULLS,
            _schema("array", items={}),
        ),
        Type("struct", "nothing: no struct compares", _unreadable, NULLS, _schema("object")),
        Type(
            "map", "nothing: maps cannot be compared", _unreadable, NULLS,
            _schema("array", items=_schema("object", properties={"key": {}, "value": {}})),
        ),
    )
}  # fmt: skip


def read_value(type_name: str, text: str) -> object:
    """Read the text of a parameter as a value of that type; timestamps come as UTC without zone.

    Raises:
        ValueError: the text is no such value; the message says what was expected.
    """
    kind = TYPES[type_name]
    try:
        return kind.read(text)
    except (ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"expected {kind.expected}") from error


def value_schema(type_name: str, *, nullable: bool = False) -> dict[str, object]:
    """Give the JSON Schema of a value of that type as answers show it."""
    schema = dict(TYPES[type_name].json_schema)
    if nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema
