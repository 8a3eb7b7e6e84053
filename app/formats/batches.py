"""Rows by the column: Arrow batches, and what of their fields Arrow has no type for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

_MARK = b"assay"
# A text that is JSON, and a decimal without a scale that is an integer.
JSON_TEXT, WIDE_INTEGER = b"json", b"integer"


@dataclass(frozen=True, slots=True)
class Batches:
    """A result, batch by batch; it can be read once. Only ``schema`` holds the marks.

    A column of texts or times that repeat may come as a dictionary of what ``schema`` says.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def marked(field: pa.Field, mark: bytes) -> pa.Field:
    """Give the field with a mark."""
    return field.with_metadata({_MARK: mark})


def has_mark(field: pa.Field, mark: bytes) -> bool:
    """Tell whether the field has that mark."""
    return bool(field.metadata) and field.metadata.get(_MARK) == mark
