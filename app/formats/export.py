"""The forms of an Export: which writer makes each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from app.formats.batches import Batches
from app.formats.files import write_arrow, write_parquet
from app.formats.lines import Csv, write_json, write_ndjson
from app.formats.texts import JsonTexts


@dataclass(frozen=True, slots=True)
class Form:
    """How an Export is to look; ``metadata`` is written into it where there is a place for it."""

    format: str
    options: Mapping[str, object]
    metadata: Mapping[str, object]


def write_export(batches: Batches, form: Form, sink: BinaryIO) -> None:
    """Write all batches in that form; a format that is not known is a LookupError."""
    texts = JsonTexts(wide_as_text=form.options.get("bigint") == "string")
    match form.format:
        case "json":
            write_json(batches, sink, form.metadata, texts)
        case "ndjson":
            write_ndjson(batches, sink, texts)
        case "csv":
            bom, excel = (bool(form.options.get(option)) for option in ("bom", "excel"))
            Csv(texts, bom, excel).write(batches, sink)
        case "parquet":
            write_parquet(batches, sink, form.metadata)
        case "arrow" | "arrows":
            write_arrow(batches, sink, form.metadata, file=form.format == "arrow")
        case _:
            raise LookupError(form.format)
