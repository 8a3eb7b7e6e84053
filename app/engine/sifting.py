"""Tells which cells fit a condition, compared in Python as the engine compares them."""

from collections.abc import Callable, Mapping, Sequence
from operator import not_
from typing import Any

from app.query import Where

# What `Any` is here: a cell of its own type, and what it is compared with.
Sieve = Callable[[Sequence[Any], Any], list[bool]]


def fitting(cells: Sequence[Any], where: Where) -> list[bool]:
    """Tell of each cell whether it fits; null and NaN are greater and less than nothing."""
    return _SIEVES[where.operator](cells, where.value)


# NaN compares with nothing, and alone is not equal to itself.
_SIEVES: Mapping[str, Sieve] = {
    "eq": lambda cells, value: [cell == value for cell in cells],
    "ne": lambda cells, value: [cell != value for cell in cells],
    "gt": lambda cells, value: [cell is not None and cell > value for cell in cells],
    "gte": lambda cells, value: [cell is not None and cell >= value for cell in cells],
    "lt": lambda cells, value: [cell is not None and cell < value for cell in cells],
    "lte": lambda cells, value: [cell is not None and cell <= value for cell in cells],
    "in": lambda cells, values: list(map(set(values).__contains__, cells)),
    "not_in": lambda cells, values: list(map(not_, map(set(values).__contains__, cells))),
    "contains": lambda cells, part: [cell is not None and part in cell for cell in cells],
    "startswith": lambda cells, start: [
        cell is not None and cell.startswith(start) for cell in cells
    ],
    "isnull": lambda cells, wanted: [(cell is None or cell != cell) == wanted for cell in cells],  # noqa: PLR0124 - as said
}
