"""Batches as text, record by record: JSON, NDJSON, CSV. No cell is touched by Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from app.formats.ahead import ahead
from app.formats.batches import JSON_TEXT, Batches, has_mark
from app.formats.cells import Column, plain_texts
from app.formats.coded import by_value, joined, whole_bytes
from app.formats.json import json_bytes
from app.formats.texts import JsonTexts, known

Row = list[tuple[Column, pa.Field]]

_BOM = "\ufeff".encode()
# RFC 4180 ends a line this way.
_CRLF = "\r\n"
_MOST_BYTES = 2 * 1024 * 1024
_QUOTED = '[",\r\n]|^$'
# What a spreadsheet takes for a formula.
_FORMULA = "^[=+\\-@\t\r]"


def write_json(batches: Batches, sink: BinaryIO, metadata: object, texts: JsonTexts) -> None:
    """Write ``{"data": [...], "metadata": ...}``."""
    sink.write(b'{"data":[')
    first = True
    for written in _written(batches, lambda row: texts.record(row, before=",")):
        sink.write(written[1:] if first else written)
        first = False
    sink.write(b'],"metadata":' + json_bytes(metadata) + b"}")


def write_ndjson(batches: Batches, sink: BinaryIO, texts: JsonTexts) -> None:
    """Write a JSON object a line."""
    for written in _written(batches, lambda row: texts.record(row, after="\n")):
        sink.write(written)


@dataclass(frozen=True, slots=True)
class Csv:
    """CSV (RFC 4180, UTF-8) with a header; null is an empty field, an empty text is ``""``.

    ``bom`` tells Excel that it is UTF-8; with ``excel`` no text begins as a formula does.
    """

    texts: JsonTexts
    bom: bool = False
    excel: bool = False

    def write(self, batches: Batches, sink: BinaryIO) -> None:
        """Write all rows below their header."""
        names = (self._text(pa.array([field.name]))[0].as_py() for field in batches.schema)
        sink.write((_BOM if self.bom else b"") + ",".join(names).encode() + _CRLF.encode())
        for written in _written(batches, self._lines):
            sink.write(written)

    def _lines(self, row: Row) -> Column:
        fields: list[object] = []
        for cells, field in row:
            fields += ["," if fields else "", self._field(cells, field)]
        return joined(*fields, _CRLF, null="")

    def _field(self, cells: Column, field: pa.Field) -> Column:
        if pa.types.is_nested(field.type):
            return _quoted(known(cells, self.texts.of(cells, field)))
        if has_mark(field, JSON_TEXT):
            return by_value(_quoted, cells)
        if pa.types.is_string(field.type):
            return by_value(self._text, cells)
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
            return plain_texts(cells, field)
        return by_value(lambda each: plain_texts(each, field), cells)

    def _text(self, cells: Column) -> Column:
        if self.excel:
            formula = pc.match_substring_regex(cells, _FORMULA)
            cells = pc.if_else(formula, _joined("'", cells), cells)
        return _quoted(cells)


def _quoted(texts: Column) -> Column:
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(pc.match_substring_regex(texts, _QUOTED), _joined('"', doubled, '"'), texts)


def _joined(*parts: object) -> Column:
    return pc.binary_join_element_wise(*parts, "")


def _written(batches: Batches, lines: Callable[[Row], Column]) -> Iterator[memoryview]:
    """Give the bytes of all lines, piece by piece; none of them is empty."""
    fields = list(batches.schema)
    pieces = (piece for batch in batches.batches for piece in _pieces(batch))
    rows = (list(zip(piece.columns, fields, strict=True)) for piece in pieces)
    return ahead(lambda row: _bytes(lines(row)), rows)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch so that the texts of a piece stay few, and fit what Arrow can join."""
    rows = max(batch.num_rows * _MOST_BYTES // max(sum(map(whole_bytes, batch.columns)), 1), 1)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _bytes(texts: Column) -> memoryview:
    """Give the texts one after the other, as they lie in memory."""
    _, offsets, content = texts.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(content)[ends[texts.offset] : ends[texts.offset + len(texts)]]
