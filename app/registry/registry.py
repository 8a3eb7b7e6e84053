"""The Registry: one checked reading of ``datasets.yaml``. It never looks at the tables."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.dataset import Dataset, Source
from app.registry.mistakes import Diagnostic, Positions, place_of


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """What a registry file declares.

    ``datasets`` holds drafts too, in the order of the file. ``document`` is the plain
    data of the file, without defaults. ``folder`` is the file's own, ``name`` the file's
    for messages. ``positions`` gives line and column by JSON Pointer; it is empty when
    the Registry was made from a document.
    """

    sources: Mapping[str, Source]
    datasets: Mapping[str, Dataset]
    document: Mapping[str, Any]
    folder: Path
    name: str
    positions: Positions = field(default_factory=dict)

    @property
    def served(self) -> Mapping[str, Dataset]:
        """Give the datasets that are no drafts."""
        return {name: each for name, each in self.datasets.items() if each.status != "draft"}

    @property
    def fingerprint(self) -> str:
        """Give a sha256 that is equal when declarations and folders are."""
        folders = {name: str(source.location) for name, source in self.sources.items()}
        content = {"document": self.document, "locations": folders}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def diagnostic(  # noqa: PLR0913 - they are the members of a Diagnostic
        self,
        pointer: str,
        message: str,
        *,
        found: object = None,
        allowed: tuple[object, ...] | None = None,
        nearest: str | None = None,
    ) -> Diagnostic:
        """Give an error at ``pointer``, or at the nearest part around it that has a place."""
        place = place_of(pointer, self.positions)
        return Diagnostic(self.name, *place, pointer, message, found, allowed, nearest)
