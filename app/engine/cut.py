"""Cuts a stretch out of an index by the column: even batches, and the Stamp of their rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from app.dataset import Constant
from app.engine.stream import BATCH_ROWS
from app.formats import Batches, decoded
from app.query import Stamp, Stretch

# What is read of an index for one Export at most: what is mapped and touched counts as memory of
# the process, and most of a Table the engine streams no slower.
_MOST_BYTES = 32 << 20
# Where a row goes, and the time that tells it.
_PLACE_BYTES = 16
_ROWS_A_VALUE = 4

# What `Any` is here: Arrow's arrays, which come without types of their own.
Cells = Any


def cut(
    asked: Stretch, columns: Mapping[str, Cells], places: tuple[int, int]
) -> tuple[Batches, Stamp] | None:
    """Give the rows between two places, in batches that are made as they are read.

    None where the rows are many.
    """
    first, count = places[0], max(places[1] - places[0], 0)
    row_bytes = sum(cells.nbytes / max(len(cells), 1) for cells in columns.values())
    if count * (row_bytes + _PLACE_BYTES) > _MOST_BYTES:
        return None
    held = {name: cells.slice(first, count) for name, cells in columns.items()}
    rows = _ordered(held, asked, max(count - asked.offset, 0))
    fields = [pa.field(each.name, rows.kind(each.in_table)) for each in asked.outline.columns]
    return Batches(pa.schema(fields), _batches(rows, asked)), _stamp(rows, asked)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of an index: those at ``places``, or without them all from ``first`` on."""

    columns: Mapping[str, Cells]
    first: int
    count: int
    places: Cells | None

    def cells(self, name: str | Constant, first: int, count: int) -> Cells:
        """Give so many cells of a column from one on."""
        if isinstance(name, Constant):
            return pa.repeat(name.value, count)
        if self.places is None:
            return self.columns[name].slice(self.first + first, count)
        return pc.take(
            self.columns[name], self.places.slice(self.first + first, count), boundscheck=False
        )

    def kind(self, name: str | Constant) -> pa.DataType:
        """Give the type of a column as the engine has it."""
        if isinstance(name, Constant):
            return pa.string()
        kind = self.columns[name].type
        return kind.value_type if pa.types.is_dictionary(kind) else kind


def _ordered(columns: Mapping[str, Cells], asked: Stretch, most: int) -> _Rows:
    count = most if asked.limit is None else min(most, asked.limit)
    places = None if asked.time is None else _rising(columns[asked.time])
    return _Rows(columns, asked.offset, count, places)


def _rising(times: Cells) -> Cells:
    """Give the places of the cells as they rise; it leaves those alike in their order."""
    # Of days, which are few, Arrow counts how many there are of each instead of comparing them.
    return pc.array_sort_indices(decoded(times))


def _batches(rows: _Rows, asked: Stretch) -> Iterator[pa.RecordBatch]:
    names = [column.name for column in asked.outline.columns]
    held = [column.in_table for column in asked.outline.columns]

    def batch(first: int) -> pa.RecordBatch:
        count = min(BATCH_ROWS, rows.count - first)
        cells = [_few(rows.cells(name, first, count)) for name in held]
        return pa.record_batch(cells, names)

    return map(batch, range(0, rows.count, BATCH_ROWS))


def _stamp(rows: _Rows, asked: Stretch) -> Stamp:
    """Give the lineage of all rows: each is looked at once, by its dataset_id and model_version."""
    if rows.places is not None and rows.count == len(rows.places):
        # Of all rows the order tells nothing.
        rows = replace(rows, places=None)
    dataset_id, model_version, generated_at = (
        rows.cells(name, 0, rows.count) for name in asked.outline.lineage
    )
    told = pa.table([dataset_id, model_version, decoded(generated_at)], ["0", "1", "2"])
    newest = told.group_by(["0", "1"], use_threads=False).aggregate([("2", "max")])
    return Stamp.of_columns(*(cells.to_pylist() for cells in newest.columns))


def _few(cells: Cells) -> Cells:
    """Leave a column as it is held where each batch has more rows than it has values by far."""
    kind = cells.type
    few = pa.types.is_dictionary(kind) and len(cells.dictionary) <= BATCH_ROWS // _ROWS_A_VALUE
    return cells if few else decoded(cells)
