"""The types a column can be declared as, and how a bound or a listed value is read for each."""

import math
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any

from app.dataset import moment

_LONGEST_NUMBER = 100


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return Decimal(str(value))


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return _number(value)
    number = Decimal(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _time(value: object) -> time:
    read = time.fromisoformat(_text(value))
    if read.tzinfo is not None:
        raise ValueError
    return read


def _date(value: object) -> date:
    return date.fromisoformat(_text(value))


def _anything(value: object) -> object:
    return value if isinstance(value, str | bool) else _number(value)


def _nothing(_value: object) -> object:
    raise TypeError


_READERS: Mapping[str, Callable[[object], Any]] = {
    "integer": _whole,
    "number": _number,
    "decimal": _decimal,
    "string": _text,
    "boolean": _flag,
    "date": _date,
    "time": _time,
    "timestamp": lambda value: moment(_text(value)),
    "json": _nothing,
    "binary": _nothing,
    "": _anything,
}
_UNORDERED = ("boolean", "json", "binary")

TYPES = tuple(name for name in _READERS if name)


def read_value(kind: str, value: object) -> Any:  # noqa: ANN401 - it is of many types
    """Give a bound or a listed value so that it compares with others of its type.

    ``kind`` may be empty for a column that declares no type.

    Raises:
        ValueError: a column of that type cannot hold the value.
    """
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError, OverflowError, InvalidOperation):
        raise ValueError(kind) from None


def has_order(kind: str) -> bool:
    """Tell whether values of that type can be smaller and larger."""
    return kind not in _UNORDERED
