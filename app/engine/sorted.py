"""Searches a column that is sorted between two places, rising or falling, with what lacks last."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from app.query import Where

Places = tuple[int, int]

# Rows that are alike are few among many: where they end is looked for so near first.
_NEAR = 1024

# What `Any` is here: a cell, of its own type, or what is held for it.
Read = Callable[[Any], Any]


class Cells(Protocol):
    """What can be searched: cells by their places, or what is held for them."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Any: ...  # noqa: ANN401 - a cell, of its own type


@dataclass(frozen=True, slots=True)
class _Fallen:
    """A value that comes before the smaller ones."""

    value: Any

    def __lt__(self, other: "_Fallen") -> bool:
        return bool(other.value < self.value)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The cells of a column; the places are those of the first and behind the last.

    ``read`` makes a cell of what is held; without it that is the cell. Of ``complete`` cells none
    is null or NaN.
    """

    cells: Cells
    falling: bool = False
    read: Read | None = None
    complete: bool = False

    def equal(self, value: object, places: Places) -> Places:
        """Give the places between which the cells are equal to a value."""
        start, end = places if self.complete else self._known(places)
        start = self._search(bisect_left, value, start, end)
        near = start + _NEAR
        while near < end and self._cell(near) == value:
            near += near - start
        return start, self._search(bisect_right, value, start, min(near, end))

    def bounded(self, where: Where, places: Places) -> Places:
        """Give the places between which the cells keep to a bound."""
        start, end = places if self.complete else self._known(places)
        upwards = where.operator in {"gt", "gte"}
        # What is equal to the bound is behind the place, or before it.
        behind = where.operator in ({"gte", "lt"} if self.falling else {"gt", "lte"})
        place = self._search(bisect_right if behind else bisect_left, where.value, start, end)
        return (start, place) if upwards == self.falling else (place, end)

    def _known(self, places: Places) -> Places:
        """Leave the nulls and NaN out, which compare with nothing."""
        start, end = places
        if start < end and _is_missing(self.cells[end - 1]):
            end = bisect_left(self.cells, True, start, end, key=_is_missing)  # noqa: FBT003 - searched
        return start, end

    def _cell(self, place: int) -> object:
        held: object = self.cells[place]
        return held if self.read is None else self.read(held)

    def _search(self, search: Any, value: object, start: int, end: int) -> int:  # noqa: ANN401 - bisect has no type of its own
        if not self.falling:
            return int(search(self.cells, value, start, end, key=self.read))
        read = self.read
        key = _Fallen if read is None else lambda held: _Fallen(read(held))
        return int(search(self.cells, _Fallen(value), start, end, key=key))


def _is_missing(cell: object) -> bool:
    # NaN alone is not equal to itself.
    return cell is None or cell != cell  # noqa: PLR0124 - as said
