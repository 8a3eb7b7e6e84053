"""Exports over HTTP: made into the spool, then sent from there, whole or in part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from werkzeug.datastructures import Range
from werkzeug.http import parse_range_header

from app.answers import Pieces, Spooled
from app.dataset import Dataset
from app.errors import RangeNotSatisfiableError
from app.formats import Form, write_export
from app.generation import Generation
from app.http.accepting import takes_any
from app.http.reply import OK, PARTIAL, UNCHANGED, Reply
from app.http.stamping import lineage_headers, metadata, told_of
from app.http.visit import Environ
from app.plugin import FORMATS, Export

_CHARSET = {"csv": "; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Exported:
    """An Export with what it is made of; ``wide_as_text`` is the parameter ``bigint``."""

    export: Export
    generation: Generation
    dataset: Dataset
    wide_as_text: bool

    def write(self, sink: BinaryIO, freshness: str) -> Mapping[str, object]:
        """Write the file, and give its headers and what the log says of it.

        Raises:
            BusyError: too many exports are being made.
            ExportTooLargeError: it does not fit the spool.
            ExportTooSlowError: it takes longer than one may.
            NoRoomError: there is not enough memory, or the disk is full.
        """
        name, export = self.dataset.name, self.export
        options = {**export.options, "bigint": "string" if self.wide_as_text else None}
        with self.generation.export(export.query) as (batches, stamp):
            about = metadata(self.generation, self.dataset, stamp, freshness)
            write_export(batches, Form(export.format, options, about), sink)
        headers = {
            "Content-Type": FORMATS[export.format] + _CHARSET.get(export.format, ""),
            "Content-Disposition": f'attachment; filename="{name}.{export.format}"',
            **lineage_headers(stamp),
        }
        return {"headers": headers, "log": told_of(self.dataset, stamp)}


def send(environ: Environ, spooled: Spooled, headers: Mapping[str, str]) -> Reply:
    """Give the reply with a spooled Answer, or with the one range of it that is asked for.

    Several ranges, and one of another content than there is now, are answered with all of it.

    Raises:
        RangeNotSatisfiableError: the range begins beyond the end.
    """
    if takes_any(environ):
        return Reply(UNCHANGED, headers)
    headers = {**headers, **spooled.told["headers"], "Accept-Ranges": "bytes"}
    asked, length = _range(environ, headers["ETag"]), spooled.length
    start, stop = (0, length) if asked is None else _within(asked, length)
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{length}"
    headers["Content-Length"] = str(stop - start)
    return Reply(OK if asked is None else PARTIAL, headers, Pieces(spooled, start, stop))


def _range(environ: Environ, etag: str) -> Range | None:
    """Give the one range of bytes that is asked for, if it counts."""
    asked = parse_range_header(environ.get("HTTP_RANGE"))
    if environ["REQUEST_METHOD"] != "GET" or asked is None or asked.units != "bytes":
        return None
    if environ.get("HTTP_IF_RANGE", etag) != etag:
        return None
    return asked if len(asked.ranges) == 1 else None


def _within(asked: Range, length: int) -> tuple[int, int]:
    found = asked.range_for_length(length)
    if found is None:
        headers = {"Content-Range": f"bytes */{length}"}
        raise RangeNotSatisfiableError(f"There are {length} bytes.", headers=headers, length=length)
    start, stop = found
    return start, stop
