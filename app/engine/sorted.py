"""Searches a column that is sorted between two places, rising or falling, with what lacks last."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
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
    # What is compared of a cell, as bisect takes it: it has no type for one that may be None.
    _key: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        read, key = self.read, self.read
        if self.falling:
            key = _Fallen if read is None else lambda held: _Fallen(read(held))
        object.__setattr__(self, "_key", key)

    def equal(self, value: object, places: Places) -> Places:
        """Give the places between which the cells are equal to a value."""
        start, end = places if self.complete else self._known(places)
        sought: Any = _Fallen(value) if self.falling else value
        start = bisect_left(self.cells, sought, start, end, key=self._key)
        near = start + _NEAR
        while near < end and self._compared(near) == sought:
            near += near - start
        return start, bisect_right(self.cells, sought, start, min(near, end), key=self._key)

    def bounded(self, where: Where, places: Places) -> Places:
        """Give the places between which the cells keep to a bound."""
        start, end = places if self.complete else self._known(places)
        sought: Any = _Fallen(where.value) if self.falling else where.value
        upwards = where.operator in {"gt", "gte"}
        # What is equal to the bound is behind the place, or before it.
        behind = where.operator in ({"gte", "lt"} if self.falling else {"gt", "lte"})
        search = bisect_right if behind else bisect_left
        place = search(self.cells, sought, start, end, key=self._key)
        return (start, place) if upwards == self.falling else (place, end)

    def _known(self, places: Places) -> Places:
        """Leave the nulls and NaN out, which compare with nothing."""
        start, end = places
        if start < end and _is_missing(self.cells[end - 1]):
            end = bisect_left(self.cells, True, start, end, key=_is_missing)  # noqa: FBT003 - searched
        return start, end

    def _compared(self, place: int) -> object:
        held: object = self.cells[place]
        return held if self._key is None else self._key(held)


def _is_missing(cell: object) -> bool:
    # NaN alone is not equal to itself.
    return cell is None or cell != cell  # noqa: PLR0124 - as said
