"""A Generation as it stands on disk: a number, the Registry's document, and the Tables it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app.dataset import moment
from app.table import Table

Fact = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest file holds; ``folder`` is what the Registry's locations are relative to.

    ``findings`` are the warnings about each dataset. ``degraded`` tells ``since`` and ``reason``
    of those that keep an older Table than they should have.
    """

    number: int
    committed_at: datetime
    job_id: str
    document: Mapping[str, Any]
    folder: Path
    tables: Mapping[str, Table]
    findings: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    degraded: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Give the name of the manifest's file."""
        return manifest_name(self.number)

    def like(self, other: "Manifest") -> bool:
        """Tell whether both would serve the very same."""
        return _served(self) == _served(other)

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
                "findings": self.findings,
                "degraded": self.degraded,
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
            findings={name: tuple(each) for name, each in given["findings"].items()},
            degraded=given["degraded"],
        )


def _served(manifest: Manifest) -> tuple[object, ...]:
    hashes = {name: table.hash for name, table in manifest.tables.items()}
    reasons = {name: each["reason"] for name, each in manifest.degraded.items()}
    return manifest.document, manifest.folder, hashes, reasons


def manifest_name(number: int) -> str:
    """Give the name of the manifest file of that Generation."""
    return f"{number:08d}.json"
