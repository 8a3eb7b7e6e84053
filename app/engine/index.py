"""An index, mapped and shared by all workers: rows in one order, by that of the keys or another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import compress
from math import inf
from mmap import PROT_READ, mmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from app.dataset import Constant
from app.engine.cut import cut
from app.engine.held import Held, held
from app.engine.indexed import Indexed, Repeated
from app.engine.indexing import SEAL_BYTES, seal
from app.engine.sifting import fitting
from app.engine.sorted import Sorted
from app.formats import Batches
from app.query import Outline, Rows, Stamp, Stretch
from app.table import Table

log = structlog.get_logger()

# Beyond it a read would hold the interpreter for long, and the engine is no slower.
_MOST_ROWS = 10_000
# Cells that are looked at to find the rows that fit, and rows at once.
_MOST_SIFTED = 10_000
_SIFTED_ROWS = 1_000
_MOST_OUTLINES = 512


class Index:
    """The columns of one Table in one order; safe to use from many threads.

    The file stays readable when it is unlinked meanwhile.
    """

    def __init__(self, columns: Mapping[str, Indexed], rows: int) -> None:
        self._columns = columns
        # By the columns and not by the Index, which would hold itself.
        self._reader = lru_cache(maxsize=_MOST_OUTLINES)(partial(_reader, columns, rows))

    def read(self, asked: Stretch, most: int = _MOST_ROWS) -> Rows | None:
        """Give the rows of a stretch as a Statement would.

        None where it holds not all of them, or where there are more than ``most``.
        """
        reader = self._reader(asked.outline)
        return None if reader is None else reader.read(asked, most)

    def cut(self, asked: Stretch) -> tuple[Batches, Stamp] | None:
        """Give the same rows by the column, as an Export has them, and their Stamp.

        None where it holds not all of them as the engine would give them, or where they are many.
        """
        reader = self._reader(asked.outline)
        if reader is None or asked.outline.backwards or asked.sifted:
            return None
        names = [*(each.in_table for each in asked.outline.columns), *asked.outline.lineage]
        needed = {name for name in (*names, asked.time) if isinstance(name, str)}
        held = {name: self._columns[name].stored for name in needed & self._columns.keys()}
        if len(held) < len(needed) or None in held.values():
            return None
        return cut(asked, held, reader.places(asked))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the stretches of one outline.

    ``sources`` are the columns that it takes, ``shown`` and ``lineage`` places among them, and
    ``sieves`` the columns of what it sifts by.
    """

    outline: Outline
    order: tuple[Sorted, ...]
    rows: int
    sources: tuple[Indexed | Repeated, ...]
    shown: tuple[int, ...]
    lineage: tuple[int, ...]
    sieves: tuple[Indexed | Repeated, ...]

    def read(self, asked: Stretch, most: int) -> Rows | None:
        """Give the rows of a stretch; None where they are more than ``most``."""
        looked = range(*self.places(asked))
        if self.outline.backwards:
            looked = looked[::-1]
        found = self._sifted(asked, looked) if asked.sifted else looked
        if found is None:
            return None
        found = found[asked.offset :]
        given = found if asked.limit is None else found[: asked.limit]
        if len(given) > most:
            return None
        cells = _cells(self.sources, given)
        rows = list(zip(*map(cells.__getitem__, self.shown), strict=True))
        stamp = Stamp.of_columns(*map(cells.__getitem__, self.lineage))
        return Rows(self.outline.columns, rows, stamp, len(found) > len(given))

    def _sifted(self, asked: Stretch, looked: range) -> Sequence[int] | None:
        """Give the places of the rows that fit, as far as they are wanted; None after many rows."""
        most = _MOST_SIFTED // len(asked.sifted)
        wanted = inf if asked.limit is None else asked.offset + asked.limit + 1
        found: list[int] = []
        near = looked[:most]
        for first in range(0, len(near), _SIFTED_ROWS):
            some = near[first : first + _SIFTED_ROWS]
            fits = map(fitting, _cells(self.sieves, some), asked.sifted)
            found += compress(some, map(all, zip(*fits, strict=True)))
            if len(found) >= wanted:
                return found
        return found if len(looked) <= most else None

    def places(self, asked: Stretch) -> tuple[int, int]:
        """Give the places of the first row and behind the last."""
        order = self.order
        start, end = _equal(order, asked.equal, (0, self.rows))
        for each in asked.bounds:
            start, end = order[len(asked.equal)].bounded(each, (start, end))
        if asked.after:
            before, behind = _equal(order[len(asked.equal) :], asked.after, (start, end))
            return (start, before) if self.outline.backwards else (behind, end)
        return start, end


def _reader(columns: Mapping[str, Indexed], rows: int, outline: Outline) -> _Reader | None:
    """Find what the stretches of an outline are read from; None where a column is missing."""
    names = tuple(column.in_table for column in outline.columns)
    needed = tuple(dict.fromkeys((*names, *outline.lineage)))
    sieves = tuple(outline.sifted.values())
    known = {*needed, *sieves, *dict(outline.order)}
    if any(isinstance(name, str) and name not in columns for name in known):
        return None

    def source(name: str | Constant) -> Indexed | Repeated:
        return Repeated(name) if isinstance(name, Constant) else columns[name]

    return _Reader(
        outline,
        tuple(columns[name].sought(falling=falling) for name, falling in outline.order),
        rows,
        tuple(map(source, needed)),
        tuple(map(needed.index, names)),
        tuple(map(needed.index, outline.lineage)),
        tuple(map(source, sieves)),
    )


def _cells(columns: Sequence[Indexed | Repeated], places: Sequence[int]) -> list[list[Any]]:
    """Give the cells of some columns at these places, which rise or fall."""
    if not places:
        return [[] for _ in columns]
    first, last = sorted((places[0], places[-1]))
    cells = [each.between(first, last - first + 1) for each in columns]
    if len(places) == last - first + 1:
        return cells if places[0] == first else [each[::-1] for each in cells]
    return [[each[place - first] for place in places] for each in cells]


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
    cells = {name: Indexed(column, kinds[name] or Held()) for name, column in columns}
    return Index(cells, batch.num_rows)


def _mapped(path: Path) -> pa.RecordBatch:
    with path.open("rb") as file:
        content = memoryview(mmap(file.fileno(), 0, prot=PROT_READ))
        if content[-SEAL_BYTES:] != seal(file, len(content) - SEAL_BYTES):
            raise ValueError(path.name)
    return pa.ipc.open_stream(pa.py_buffer(content)).read_next_batch()


def _equal(
    columns: Sequence[Sorted], values: Sequence[object], places: tuple[int, int]
) -> tuple[int, int]:
    """Give the places between which the first columns have these values."""
    for column, value in zip(columns, values, strict=False):
        places = column.equal(value, places)
    return places
