"""What an index holds: each type of column as Arrow has it, and how its cells are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from app.engine.sql import quoted_name
from app.query import JsonText, WideInteger

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all of them
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Held:
    """How one type is held.

    ``written`` is the engine's expression with ``{}`` for the column, ``viewed`` the Arrow type
    whose numbers stand for the cells, and ``read`` makes a cell of what Arrow gives. ``repeats``
    tells whether a column with few different values is held as their numbers.
    """

    written: str = "{}"
    viewed: str | None = None
    # What `Any` is here: a number or a text.
    read: Callable[[Any], object] | None = None
    repeats: bool = False

    @property
    def as_stored(self) -> bool:
        """Tell whether it is held as the engine would give it in a batch."""
        return self.written == "{}"

    def expression(self, name: str) -> str:
        """Give what is selected for the column of that name."""
        return f"{self.written.format(quoted_name(name))} AS {quoted_name(name)}"


def held(physical: str) -> Held | None:
    """Tell how that type of the engine is held; None where an index cannot hold it exactly."""
    return _HELD.get(physical.partition("(")[0] if physical.endswith(")") else physical)


def _day(days: int) -> date:
    return date.fromordinal(_EPOCH_DAY + days)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(0, 0, microseconds)


def _wide(digits: str) -> WideInteger:
    return WideInteger(digits)


_MOMENT = Held("{}", "int64", _moment, repeats=True)
_HELD: Mapping[str, Held] = {
    **dict.fromkeys(
        (
            *("BOOLEAN", "FLOAT", "DOUBLE", "DECIMAL", "BLOB"),
            *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
        ),
        Held(),
    ),
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), Held("CAST({} AS VARCHAR)", read=_wide)),
    "TIMESTAMP": _MOMENT,
    **dict.fromkeys(
        ("TIMESTAMP_S", "TIMESTAMP_MS"), replace(_MOMENT, written="CAST({} AS TIMESTAMP)")
    ),
    "TIMESTAMP_NS": Held("replace(CAST({} AS VARCHAR), ' ', 'T') || 'Z'"),
    "UBIGINT": Held(read=WideInteger),
    # Sets of a rollup.
    "BIT": Held("CAST({} AS BLOB)", read=int.from_bytes),
    "VARCHAR": Held(repeats=True),
    "JSON": Held("CAST({} AS VARCHAR)", read=JsonText, repeats=True),
    "DATE": Held(viewed="int32", read=_day, repeats=True),
}
