"""Rows to bytes: the one place that decides how a value looks outside."""

from app.formats.batches import JSON_TEXT, WIDE_INTEGER, Batches, marked
from app.formats.cells import duration_text
from app.formats.coded import decoded
from app.formats.export import Form, write_export
from app.formats.json import JSON, json_bytes, plain

__all__ = [
    "JSON",
    "JSON_TEXT",
    "WIDE_INTEGER",
    "Batches",
    "Form",
    "decoded",
    "duration_text",
    "json_bytes",
    "marked",
    "plain",
    "write_export",
]
