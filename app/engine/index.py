"""An index, mapped and shared by all workers: rows in one order, by that of the keys or another."""

from collections.abc import Mapping, Sequence
from mmap import PROT_READ, mmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from app.dataset import Column, Constant
from app.engine.cut import cut
from app.engine.held import Held, held
from app.engine.indexing import SEAL_BYTES, seal
from app.engine.sorted import Cells, Sorted
from app.formats import Batches
from app.query import Rows, Stamp, Stretch
from app.table import Table

log = structlog.get_logger()

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
# Beyond it a read would hold the interpreter for long, and the engine is no slower.
_MOST_ROWS = 10_000


class Index:
    """The columns of one Table in one order; safe to use from many threads.

    The file stays readable when it is unlinked meanwhile.
    """

    def __init__(self, columns: Mapping[str, "_Cells"], rows: int) -> None:
        self._columns, self._rows = columns, rows

    def read(self, asked: Stretch) -> Rows | None:
        """Give the rows of a stretch as a Statement would; None where it holds not all of them."""
        names = [_stored(column) for column in asked.columns]
        needed = _needed(asked)
        if not needed.union(name for name, _ in asked.order) <= self._columns.keys():
            return None
        start, end = self._places(asked)
        length = max(end - start - asked.offset, 0)
        count = length if asked.limit is None else min(length, asked.limit)
        if count > _MOST_ROWS:
            return None
        first = max(end - asked.offset - count, 0) if asked.backwards else start + asked.offset
        step = -1 if asked.backwards else 1
        cells = {name: self._columns[name].between(first, count)[::step] for name in needed}
        lineage = _rows(asked.lineage, cells, count)
        return Rows(
            asked.columns, _rows(names, cells, count), Stamp.of_rows(lineage), length > count
        )

    def cut(self, asked: Stretch) -> tuple[Batches, Stamp] | None:
        """Give the same rows by the column, as an Export has them, and their Stamp.

        None where it holds not all of them as the engine would give them, or where they are many.
        """
        needed = _needed(asked)
        held = {name: self._columns[name].stored for name in needed & self._columns.keys()}
        if asked.backwards or len(held) < len(needed) or None in held.values():
            return None
        return cut(asked, held, self._places(asked))

    def _places(self, asked: Stretch) -> tuple[int, int]:
        """Give the places of the first row and behind the last."""
        columns = [Sorted(self._columns[name].sought, falling) for name, falling in asked.order]
        start, end = _equal(columns, asked.equal, (0, self._rows))
        for each in asked.bounds:
            start, end = columns[len(asked.equal)].bounded(each, (start, end))
        if asked.after:
            before, behind = _equal(columns[len(asked.equal) :], asked.after, (start, end))
            start, end = (start, before) if asked.backwards else (behind, end)
        return start, end


def open_index(path: Path, table: Table) -> Index | None:
    """Map an index of a Table; None where there is none that is whole: it is told."""
    try:
        batch = _mapped(path)
    except (OSError, ValueError) as error:
        # An index is a short cut: without it the engine answers the same.
        log.warning("index not used", index=path.name, reason=type(error).__name__)
        return None
    kinds = {column.name: held(column.physical) for column in table.columns}
    columns = zip(batch.schema.names, batch.columns, strict=True)
    cells = {name: _Cells(column, kinds[name] or Held()) for name, column in columns}
    return Index(cells, batch.num_rows)


def _mapped(path: Path) -> pa.RecordBatch:
    with path.open("rb") as file:
        content = memoryview(mmap(file.fileno(), 0, prot=PROT_READ))
        if content[-SEAL_BYTES:] != seal(file, len(content) - SEAL_BYTES):
            raise ValueError(path.name)
    return pa.ipc.open_stream(pa.py_buffer(content)).read_next_batch()


def _needed(asked: Stretch) -> set[str]:
    """Name the columns that the rows of a stretch are made of."""
    names = (*map(_stored, asked.columns), *asked.lineage, asked.time)
    return {name for name in names if isinstance(name, str)}


def _stored(column: Column) -> str | Constant:
    return column.stored or column.name


def _equal(
    columns: Sequence[Sorted], values: Sequence[object], places: tuple[int, int]
) -> tuple[int, int]:
    """Give the places between which the first columns have these values."""
    for column, value in zip(columns, values, strict=False):
        places = column.equal(value, places)
    return places


def _rows(
    names: Sequence[str | Constant], cells: Mapping[str, list[object]], count: int
) -> list[tuple[object, ...]]:
    constant = (
        [name.value] * count if isinstance(name, Constant) else cells[name] for name in names
    )
    return list(zip(*constant, strict=True))


def _numbers(column: pa.Array) -> memoryview | None:
    """Look at the numbers of a column as they are: Arrow makes an object of each one first."""
    letter = _LETTERS.get(str(column.type))
    if letter is None or column.null_count:
        return None
    return memoryview(column.buffers()[1]).cast(letter)


class _Cells:
    """The cells of one column, each as a Statement would give it."""

    def __init__(self, column: pa.Array, how: Held) -> None:
        self._how = how
        # As the engine would give it in a batch, but for how often a value is written.
        self.stored = column if how.as_stored else None
        self._known: Mapping[Any, Any] | None = None
        if isinstance(column, pa.DictionaryArray):
            values = _Cells(column.dictionary, how).between(0, len(column.dictionary))
            self._known = {None: None, **dict(enumerate(values))}
            column = column.indices
        elif how.viewed is not None:
            column = column.view(how.viewed)
        self._column = column
        self._numbers = _numbers(column)

    @property
    def sought(self) -> Cells:
        """Give what a search looks into: the numbers themselves where they are the cells."""
        bare = self._known is None and self._how.read is None
        return self._numbers if bare and self._numbers is not None else self

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, place: int) -> Any:  # noqa: ANN401 - a cell, of its own type
        if self._numbers is None:
            return self.between(place, 1)[0]
        number = self._numbers[place]
        if self._known is not None:
            return self._known[number]
        return number if self._how.read is None else self._how.read(number)

    def between(self, first: int, count: int) -> list[Any]:
        """Give so many cells from one on."""
        numbers = self._numbers
        cells: list[Any] = (
            self._column.slice(first, count).to_pylist()
            if numbers is None
            else numbers[first : first + count].tolist()
        )
        known, read = self._known, self._how.read
        if known is None and read is not None:
            # Most stretches hold few different moments.
            known = {each: None if each is None else read(each) for each in set(cells)}
        return cells if known is None else [known[each] for each in cells]
