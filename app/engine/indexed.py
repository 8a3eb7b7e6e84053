"""One column of an index: its cells by their places, as a Statement would give them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from app.dataset import Constant
from app.engine.held import Held
from app.engine.sorted import Sorted

# Numbers of Arrow by the letters that a view of memory has for them.
_LETTERS: Mapping[str, Any] = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "float": "f",
    "double": "d",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
}
_WITH_NAN = "fd"


class Indexed:
    """The cells of one column, each as a Statement would give it."""

    def __init__(self, column: pa.Array, how: Held) -> None:
        self._how = how
        # As the engine would give it in a batch, but for how often a value is written.
        self.stored = column if how.as_stored else None
        # By their numbers; what lacks has the last one.
        self._values: Sequence[Any] | None = None
        if isinstance(column, pa.DictionaryArray):
            values = Indexed(column.dictionary, how).between(0, len(column.dictionary))
            self._values = [*values, None]
            column = column.indices
        elif how.viewed is not None:
            column = column.view(how.viewed)
        self._column = column
        # A batch that was read begins where its buffers do.
        self._numbers = _numbers(column)
        # A bit for each cell: whether there is one.
        self._there = memoryview(column.buffers()[0]) if column.null_count else None

    def sought(self, *, falling: bool) -> Sorted:
        """Give what a search looks into: numbers where each stands for a cell, as none lacks."""
        if self._numbers is None or self._there is not None:
            return Sorted(self, falling)
        read = self._how.read if self._values is None else self._values.__getitem__
        return Sorted(self._numbers, falling, read, complete=self._numbers.format not in _WITH_NAN)

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, place: int) -> Any:  # noqa: ANN401 - a cell, of its own type
        return self.between(place, 1)[0]

    def between(self, first: int, count: int) -> list[Any]:
        """Give so many cells from one on."""
        if self._values is not None:
            return list(map(self._values.__getitem__, self._held(first, count, -1)))
        cells, read = self._held(first, count, None), self._how.read
        if read is None:
            return cells
        # Most stretches hold few different moments.
        known = {each: None if each is None else read(each) for each in set(cells)}
        return list(map(known.__getitem__, cells))

    def _held(self, first: int, count: int, lacking: object) -> list[Any]:
        """Give what is held for so many cells, and what stands for those that lack."""
        if self._numbers is None:
            cells: list[Any] = self._column.slice(first, count).to_pylist()
            return cells
        cells = self._numbers[first : first + count].tolist()
        if self._there is None:
            return cells
        there = int.from_bytes(self._there[first // 8 : (first + count + 7) // 8], "little")
        all_there = (1 << count) - 1
        there = there >> first % 8 & all_there
        if there == all_there:
            return cells
        if not there:
            return [lacking] * count
        bits = f"{there:0{count}b}"[::-1]
        return [cell if bit == "1" else lacking for cell, bit in zip(cells, bits, strict=True)]


class Repeated:
    """A Constant, as if it were a column."""

    def __init__(self, constant: Constant) -> None:
        self._value = constant.value

    def between(self, _: int, count: int) -> list[Any]:
        """Give it so many times."""
        return [self._value] * count


def _numbers(column: pa.Array) -> memoryview | None:
    """Look at the numbers of a column as they are: Arrow makes an object of each one first."""
    letter = _LETTERS.get(str(column.type))
    if letter is None:
        return None
    return memoryview(column.buffers()[1]).cast(letter)
