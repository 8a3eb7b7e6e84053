"""The Generation: a numbered Registry with its Tables, open for questions. It never changes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.dataset import Dataset
from app.engine import DuckEngine, EngineLimits, Queue
from app.generation.manifest import Fact, Manifest
from app.generation.store import Store
from app.query import Query, Rows, compile_query
from app.registry import Registry, registry_from_document
from app.table import Table


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything a request can see; held by plain reference to the end of its body.

    ``datasets`` are the served ones, each completed by its Table's columns. ``shape`` is
    equal for Generations that have the same routes and documents. ``findings`` and
    ``degraded`` are as in its Manifest.
    """

    name: str
    number: int
    committed_at: datetime
    registry: Registry
    tables: Mapping[str, Table]
    datasets: Mapping[str, Dataset]
    findings: Mapping[str, tuple[Fact, ...]]
    degraded: Mapping[str, Fact]
    shape: str
    engine: DuckEngine

    def run(self, query: Query) -> Rows:
        """Run a Query on this Generation's Tables."""
        return self.engine.run(compile_query(query))

    def freshness(self, dataset: str) -> str:
        """Give ``fresh``, ``warn`` or ``error`` for that dataset, now."""
        newest = self.tables[dataset].newest
        return self.datasets[dataset].freshness.status(newest, datetime.now(UTC))


def open_generation(store: Store, name: str, limits: EngineLimits, queue: Queue) -> Generation:
    """Open the Generation of that manifest: every Table at once, so that unlinking is safe.

    Raises:
        FileNotFoundError: it has been collected.
    """
    manifest = store.manifest(name)
    registry = registry_from_document(manifest.document, manifest.folder)
    files = {name: store.table_file(table.hash) for name, table in manifest.tables.items()}
    for path in files.values():
        path.stat()
    return Generation(
        name=name,
        number=manifest.number,
        committed_at=manifest.committed_at,
        registry=registry,
        tables=manifest.tables,
        datasets=completed_datasets(registry, manifest.tables),
        findings=manifest.findings,
        degraded=manifest.degraded,
        shape=_shape(manifest),
        engine=DuckEngine(files, limits, queue),
    )


def completed_datasets(registry: Registry, tables: Mapping[str, Table]) -> dict[str, Dataset]:
    """Give each dataset that has a Table, with every column that is served."""
    return {
        name: tables[name].completed(dataset)
        for name, dataset in registry.served.items()
        if name in tables
    }


def _shape(manifest: Manifest) -> str:
    columns = {
        name: [(each.name, each.type, each.physical, each.nan) for each in table.columns]
        for name, table in manifest.tables.items()
    }
    text = json.dumps([manifest.document, columns], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
