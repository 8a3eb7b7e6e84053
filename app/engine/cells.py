"""Turns the engine's cells into values that ``app.formats`` can show without loss."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.query import JsonText, WideInteger

# What `Any` is here: a cell as DuckDB hands it over, and DuckDB's own type object.
Reader = Callable[[Any], object]

_WIDE = {"hugeint", "uhugeint", "ubigint"}


def cell_reader(kind: Any) -> Reader | None:  # noqa: ANN401 - DuckDB's type has no public name
    """Give what turns a cell of that DuckDB type into a value; None where it is one already."""
    if str(kind) == "JSON":
        return JsonText
    if kind.id in _WIDE:
        return WideInteger
    if kind.id in _NESTED:
        return _NESTED[kind.id](kind)
    return None


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


def read_cells(
    kinds: Sequence[Any], cells: list[tuple[object, ...]]
) -> Sequence[tuple[object, ...]]:
    """Give the rows with every cell read; the very same list where nothing needs it."""
    readers = [cell_reader(kind) for kind in kinds]
    if not any(readers):
        return cells
    optional = [_same if read is None else _optional(read) for read in readers]
    return [tuple(read(cell) for read, cell in zip(optional, row, strict=True)) for row in cells]
