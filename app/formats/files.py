"""Batches as files that hold types: Parquet, Arrow file and Arrow stream."""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from app.formats.batches import Batches
from app.formats.cells import Column, plain_texts
from app.formats.coded import decoded
from app.formats.json import json_bytes
from app.formats.texts import JsonTexts, known

_GROUP_ROWS = 122_880
_PIECE_BYTES = 1 << 20
_METADATA = b"assay"
# Of a cell of any type that has a width, in bytes.
_WIDEST = 32
# So many cells fill whole words, be they bits.
_EVEN = 64


def write_parquet(batches: Batches, sink: BinaryIO, metadata: Mapping[str, object]) -> None:
    """Write Parquet; what it has no type for, a duration, is text, as in CSV."""
    schema = pa.schema([_outside(each, durations=False) for each in batches.schema])
    schema = schema.with_metadata({_METADATA: json_bytes(metadata)})
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in _settled(batches, schema):
            writer.write_batch(batch, row_group_size=_GROUP_ROWS)


def write_arrow(
    batches: Batches, sink: BinaryIO, metadata: Mapping[str, object], *, file: bool
) -> None:
    """Write an Arrow file, or else a stream."""
    schema = pa.schema([_outside(each, durations=True) for each in batches.schema])
    schema = schema.with_metadata({_METADATA: json_bytes(metadata)})
    opened = pa.ipc.new_file if file else pa.ipc.new_stream
    # Arrow writes each column by itself, and would ask for the interpreter each time.
    pieces = pa.BufferedOutputStream(pa.PythonFile(sink, "w"), _PIECE_BYTES)
    with opened(pieces, schema) as writer:
        for batch in _settled(batches, schema):
            writer.write_batch(batch)
    # To close it would close what it writes to.
    pieces.detach()


def _outside(field: pa.Field, *, durations: bool) -> pa.Field:
    """Give the field without marks, its timestamps in UTC."""
    if not durations and _has_duration(field.type):
        return pa.field(field.name, pa.string())
    return pa.field(field.name, _type(field.type))


def _type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit, tz="UTC")
    if pa.types.is_map(kind):
        return pa.map_(_type(kind.key_type), _type(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, _type(each.type)) for each in kind.fields])
    return kind


def _has_duration(kind: pa.DataType) -> bool:
    return pa.types.is_interval(kind) or any(
        _has_duration(kind.field(n).type) for n in range(kind.num_fields)
    )


def _settled(batches: Batches, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    def settled(batch: pa.RecordBatch) -> pa.RecordBatch:
        pairs = zip(batch.columns, batches.schema, schema, strict=True)
        cells = [_cells(decoded(column), *fields) for column, *fields in pairs]
        return pa.record_batch(cells, schema=schema)

    return map(settled, batches.batches)


def _cells(cells: Column, field: pa.Field, outside: pa.Field) -> Column:
    if pa.types.is_interval(cells.type) and pa.types.is_string(outside.type):
        return plain_texts(cells, field)
    if pa.types.is_nested(cells.type) and pa.types.is_string(outside.type):
        return known(cells, JsonTexts().of(cells, field))
    return _alone(cells).cast(outside.type)


def _alone(cells: Column) -> Column:
    """Give the cells without what lies below nulls and behind the last: it is of other rows."""
    kind = cells.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or len(cells) % _EVEN:
        # One alone would come back as it is.
        cells = pa.concat_arrays([cells, cells[:0]])
    if not cells.null_count or not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        return cells
    zero = pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bytes(_WIDEST))])[0]
    return pc.if_else(pc.is_valid(cells), pc.fill_null(cells, zero), pa.scalar(None, kind))
