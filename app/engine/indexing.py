"""Writes an index of a Table: its columns in one order, in one Arrow batch.

An Arrow stream with its checksum behind it, so that the file itself tells whether it is whole.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from app.engine.held import held
from app.engine.sql import quoted_name
from app.query import Order
from app.table import TableColumn

_PIECE = 1 << 20
SEAL_BYTES = 4
_BATCH_ROWS = 1 << 18
# Few enough for each worker to keep them as they are read.
_FEW_VALUES = 10_000
_ROWS_A_VALUE = 4
# Wide enough for three times as many: how many there are is an estimate.
_NUMBERS = pa.int16()


def can_index(columns: Sequence[TableColumn], order: Order) -> bool:
    """Tell whether an index can hold the columns of an order."""
    names = dict(order)
    return all(held(each.physical) is not None for each in columns if each.name in names)


def index_sql(table: str, columns: Sequence[TableColumn], order: Order) -> str:
    """Select what an index holds of a Table: no column that it cannot hold exactly."""
    kinds = [(column.name, held(column.physical)) for column in columns]
    cells = ", ".join(kind.expression(name) for name, kind in kinds if kind is not None)
    floats = {column.name for column in columns if column.physical in {"FLOAT", "DOUBLE"}}
    by = ", ".join(
        _sorted_by(name, falling=falling, is_float=name in floats) for name, falling in order
    )
    return f"SELECT {cells} FROM {table} AS stored ORDER BY {by}"


def _sorted_by(name: str, *, falling: bool, is_float: bool) -> str:
    cell = f"stored.{quoted_name(name)}"
    # NaN is last, as null is. And the engine makes 0.0 of the -0.0 of a column that it sorts by.
    cell = f"CASE WHEN NOT isnan({cell}) THEN {cell} END" if is_float else cell
    return f"{cell} {'DESC' if falling else 'ASC'} NULLS LAST"


def few_valued(columns: Sequence[TableColumn], rows: int) -> list[str]:
    """Name the columns that are held as numbers of their values, as these repeat so often."""
    return [
        column.name
        for column in columns
        if (kind := held(column.physical)) is not None and kind.repeats
        if (column.distinct or rows) <= min(_FEW_VALUES, rows / _ROWS_A_VALUE)
    ]


def write_index(
    ordered: duckdb.DuckDBPyRelation, few: Sequence[str], path: Path, most_bytes: int
) -> int:
    """Write an index of rows in their order, with ``few`` held by their values.

    Returns:
        The bytes of the file; 0 where there is none, as it would be larger than ``most_bytes``
        or ``few`` are many.
    """
    try:
        batch = _one_batch(ordered.to_arrow_reader(_BATCH_ROWS), few, most_bytes)
    except pa.ArrowInvalid:
        # There are more values than was estimated, and no numbers for them.
        batch = None
    if batch is None:
        return 0
    with path.open("w+b") as file:
        with pa.ipc.new_stream(file, batch.schema) as stream:
            stream.write_batch(batch)
        file.write(seal(file, file.tell()))
    return path.stat().st_size


def seal(file: BinaryIO, length: int) -> bytes:
    """Give the checksum of the first bytes of a file, and stand behind them.

    It is read for that, not mapped: what is mapped and touched counts as memory of the process.
    """
    checksum, rest = 0, length
    file.seek(0)
    while rest:
        piece = file.read(min(_PIECE, rest))
        if not piece:
            break
        checksum, rest = zlib.crc32(piece, checksum), rest - len(piece)
    return checksum.to_bytes(SEAL_BYTES, "big")


def _one_batch(
    reader: pa.RecordBatchReader, few: Sequence[str], most_bytes: int
) -> pa.RecordBatch | None:
    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(_coded(batch, few))
        if sum(each.nbytes for each in batches) > most_bytes:
            return None
    if not batches:
        return None
    whole = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()
    # A column of texts beyond 2 GiB takes several.
    return whole[0] if len(whole) == 1 else None


def _coded(batch: pa.RecordBatch, few: Sequence[str]) -> pa.RecordBatch:
    columns = [
        column.dictionary_encode().cast(pa.dictionary(_NUMBERS, column.type))
        if name in few
        else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
