"""A Generation as it stands on disk: a number, the Registry's document, and the Tables it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app.dataset import moment
from app.engine import Table


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest file holds; ``folder`` is what the Registry's locations are relative to."""

    number: int
    committed_at: datetime
    job_id: str
    document: Mapping[str, object]
    folder: Path
    tables: Mapping[str, Table]

    @property
    def name(self) -> str:
        """Give the name of the manifest's file."""
        return manifest_name(self.number)

    def as_bytes(self) -> bytes:
        """Write it as JSON."""
        return orjson.dumps(
            {
                "number": self.number,
                "committed_at": self.committed_at,
                "job_id": self.job_id,
                "document": self.document,
                "folder": str(self.folder),
                "tables": {name: table.as_fact() for name, table in self.tables.items()},
            },
            option=orjson.OPT_INDENT_2,
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Manifest":
        """Read it from JSON."""
        given: dict[str, Any] = orjson.loads(content)
        return cls(
            number=given["number"],
            committed_at=moment(given["committed_at"]),
            job_id=given["job_id"],
            document=given["document"],
            folder=Path(given["folder"]),
            tables={name: Table.from_fact(fact) for name, fact in given["tables"].items()},
        )


def manifest_name(number: int) -> str:
    """Give the name of the manifest file of that Generation."""
    return f"{number:08d}.json"
