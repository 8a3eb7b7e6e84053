"""Who may read what is decided by today's file, also where an older declaration is served on."""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def with_access_of(document: Document, today: Document) -> dict[str, Any]:
    """Give a document whose datasets may be read by those whom today's document says.

    A dataset that today's does not name keeps what it says itself.
    """
    declared = today["datasets"]
    return {
        **document,
        "datasets": {
            name: _read_as(entry, declared[name]) if name in declared else entry
            for name, entry in document["datasets"].items()
        },
    }


def _read_as(entry: Document, today: Document) -> Document:
    access = {"access": today["access"]} if "access" in today else {}
    return {**{key: each for key, each in entry.items() if key != "access"}, **access}
