"""Turns the engine's cells into values that ``app.formats`` can show without loss."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from app.dataset import Column
from app.formats import duration_text
from app.query import JsonText, WideInteger, has_lost

# What `Any` is here: a cell as DuckDB hands it over, and DuckDB's own type object.
Reader = Callable[[Any], object]

_DURATION_PART = re.compile("(-?[0-9]+) (year|month|day)")
_DURATION_TIME = re.compile(r"(-?)([0-9]+):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?$")


def cell_reader(kind: Any) -> Reader | None:  # noqa: ANN401 - DuckDB's type has no public name
    """Give what turns a cell of that DuckDB type into a value; None where it is one already."""
    if str(kind) == "JSON":
        return JsonText
    if kind.id in _NESTED:
        return _NESTED[kind.id](kind)
    return _READERS.get(kind.id)


def _list_reader(kind: Any) -> Reader | None:  # noqa: ANN401 - as above
    read = cell_reader(kind.children[0][1])
    if read is None:
        return list if kind.id == "array" else None
    element = _optional(read)
    return lambda cell: [element(each) for each in cell]


def _struct_reader(kind: Any) -> Reader | None:  # noqa: ANN401 - as above
    fields = {field: cell_reader(child) for field, child in kind.children}
    readers = {name: _optional(read) for name, read in fields.items() if read is not None}
    if not readers:
        return None
    return lambda cell: {
        name: readers[name](value) if name in readers else value for name, value in cell.items()
    }


def _map_reader(kind: Any) -> Reader:  # noqa: ANN401 - as above
    key, value = (_optional(cell_reader(child) or _same) for _, child in kind.children)
    # Keys that Python cannot hash come as a list of keys beside a list of values.
    hashable = kind.children[0][1].id not in _NESTED
    return lambda cell: [
        {"key": key(k), "value": value(v)}
        for k, v in (cell.items() if hashable else zip(cell["key"], cell["value"], strict=True))
    ]


def _nano_time(text: str) -> str:
    return text.replace(" ", "T") + "Z"


def _duration(text: str) -> str:
    """Read the engine's text, whose years and months are one count."""
    parts = {unit: int(count) for count, unit in _DURATION_PART.findall(text)}
    microseconds = 0
    if found := _DURATION_TIME.search(text):
        sign, hours, minutes, seconds, fraction = found.groups()
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
        microseconds = (whole * 10**6 + int((fraction or "").ljust(6, "0"))) * (-1 if sign else 1)
    months = parts.get("year", 0) * 12 + parts.get("month", 0)
    return duration_text(months, parts.get("day", 0), microseconds)


_READERS: Mapping[str, Reader] = {
    **dict.fromkeys(("hugeint", "uhugeint", "ubigint"), WideInteger),
    "timestamp_ns": _nano_time,
    "interval": _duration,
}
_NESTED: Mapping[str, Callable[[Any], Reader | None]] = {
    "list": _list_reader,
    "array": _list_reader,
    "struct": _struct_reader,
    "map": _map_reader,
}


def _same(cell: object) -> object:
    return cell


def _optional(read: Reader) -> Reader:
    return lambda cell: None if cell is None else read(cell)


def column_reader(column: Column, kind: Any) -> Reader | None:  # noqa: ANN401 - as above
    """Give what turns a cell of that column into a value, if it came as that DuckDB type."""
    # What would lose something comes as text, which does not tell what it was.
    return cell_reader(duckdb.sqltype(column.physical) if has_lost(column) else kind)


def read_cells(
    readers: Sequence[Reader | None], cells: list[tuple[object, ...]]
) -> Sequence[tuple[object, ...]]:
    """Give the rows with every cell read; the very same list where nothing needs it."""
    if not any(readers):
        return cells
    optional = [_same if read is None else _optional(read) for read in readers]
    return [tuple(read(cell) for read, cell in zip(optional, row, strict=True)) for row in cells]
