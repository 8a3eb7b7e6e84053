"""Cells by the column as plain texts: what a CSV file shows, and JSON between quotes."""

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from app.formats.batches import WIDE_INTEGER, has_mark

# What `Any` is here: Arrow's arrays and types, which come without types of their own.
Column = Any

_DAY_MICROSECONDS = 86_400_000_000
# Arrow writes smaller decimals with an exponent.
_MOST_PLAIN_SCALE = 6


def plain_texts(cells: Column, field: pa.Field) -> Column:
    """Give the text of each scalar cell; null, NaN and infinities are null.

    They are the texts of ``json_bytes``, without quotes.
    """
    kind = field.type
    if pa.types.is_floating(kind):
        return _floats(cells)
    if pa.types.is_decimal(kind) and not has_mark(field, WIDE_INTEGER):
        return _decimals(cells)
    for fits, write in _WRITERS:
        if fits(kind):
            return write(cells)
    return cells.cast(pa.string())


def _floats(cells: Column) -> Column:
    # A float of 32 bits is shown by the digits of the same number in 64, as everywhere.
    cells = cells.cast(pa.float64())
    numbers = memoryview(cells.buffers()[1]).cast("d")[cells.offset : cells.offset + len(cells)]
    written = orjson.dumps(numbers.tolist())[1:-1]
    texts = pc.split_pattern(pa.array([written], pa.string()), ",").flatten()
    _, ends, content = texts.buffers()
    known = pc.fill_null(pc.is_finite(cells), fill_value=False)
    # The bits that tell which numbers are finite are those that tell which texts are known.
    return pa.StringArray.from_buffers(len(cells), ends, content, known.buffers()[1])


def _decimals(cells: Column) -> Column:
    if cells.type.scale <= _MOST_PLAIN_SCALE:
        return cells.cast(pa.string())
    return _each(cells, lambda value: format(value, "f"))


def _times(cells: Column) -> Column:
    midnight = pc.equal(cells.cast(pa.int64()), _DAY_MICROSECONDS)
    texts = pc.replace_substring(cells.cast(pa.string()), ".000000", "")
    # The end of a day is a time to the engine, and none to Arrow.
    return pc.if_else(midnight, "24:00:00", texts)


def _timestamps(cells: Column) -> Column:
    fine = cells.type.unit == "ns"
    texts = cells.cast(pa.timestamp("ns" if fine else "us")).cast(pa.string())
    texts = pc.replace_substring(texts, " ", "T")
    if fine:
        texts = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    else:
        texts = pc.replace_substring(texts, ".000000", "")
    return pc.binary_join_element_wise(texts, "Z", "")


def _base64(cells: Column) -> Column:
    return _each(cells, lambda value: base64.b64encode(value).decode())


def _durations(cells: Column) -> Column:
    return _each(cells, lambda value: duration_text(value[0], value[1], value[2] // 1000))


def _each(cells: Column, write: Callable[[Any], str]) -> Column:
    texts = [None if value is None else write(value) for value in cells.to_pylist()]
    return pa.array(texts, pa.string())


def duration_text(months: int, days: int, microseconds: int) -> str:
    """Write a duration as ISO 8601; months, days and seconds stay apart, each with its sign."""
    sign, (seconds, fraction) = "-" if microseconds < 0 else "", divmod(abs(microseconds), 10**6)
    digits = f"{sign}{seconds}.{fraction:06}".rstrip("0").rstrip(".")
    parts = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    return f"P{parts}" + (f"T{digits}S" if microseconds or not parts else "")


def _same(cells: Column) -> Column:
    return cells


_WRITERS = (
    (pa.types.is_string, _same),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_date, lambda cells: cells.cast(pa.string())),
    (pa.types.is_time, _times),
    (pa.types.is_binary, _base64),
    (pa.types.is_interval, _durations),
)
