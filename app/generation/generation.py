"""The Generation: a numbered Registry with its Tables, open for questions. It never changes."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from app.dataset import Dataset
from app.engine import DuckEngine, EngineLimits, KeyIndex, Turns, open_index
from app.formats import Batches
from app.generation.manifest import Fact, Manifest
from app.generation.store import Store
from app.query import Query, Rows, Stamp, compile_export, compile_query, compile_summary, key_read
from app.registry import Registry, registry_from_document
from app.table import Table


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything a request can see; held by plain reference to the end of its body.

    ``datasets`` are the served ones, each completed by its Table's columns. ``shape`` is
    equal for Generations that have the same routes and documents. ``findings`` and
    ``degraded`` are as in its Manifest. ``newest`` is the age of each dataset's data.
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
    newest: Mapping[str, datetime | None]
    engine: DuckEngine
    indexes: Mapping[str, KeyIndex]
    turns: Turns

    def run(self, query: Query) -> Rows:
        """Run a Query on this Generation's Tables, by a key index where it answers the same."""
        index = self.indexes.get(query.dataset.name)
        asked = None if index is None else key_read(query)
        rows = None if index is None or asked is None else index.read(asked)
        return self.engine.run(compile_query(query)) if rows is None else rows

    def stamp(self, query: Query) -> Stamp:
        """Give the lineage of all rows that fit a Query: figures bring none of their own."""
        if not query.where:
            return Stamp.of_versions(self.tables[query.dataset.name].versions)
        return self.engine.run(compile_summary(Query(query.dataset, where=query.where))).stamp

    @contextmanager
    def export(self, query: Query) -> Iterator[tuple[Batches, Stamp]]:
        """Give all rows of a Query, and the Stamp of them together.

        Raises:
            BusyError: too many exports are being made.
            ExportTooSlowError: it takes longer than one may.
            NoRoomError: there is not enough memory, nor room to spill to.
        """
        seconds = self.turns.export_seconds
        with self.turns.exports.turn():
            stamp = self.engine.run(compile_summary(query)).stamp
            with self.engine.stream(compile_export(query), seconds) as batches:
                yield batches, stamp

    def fresh_until(self, dataset: str) -> float:
        """Give the time, in seconds of the clock, at which that dataset's freshness changes."""
        freshness = self.datasets[dataset].freshness
        change = freshness.next_change(self.newest[dataset], datetime.now(UTC))
        return inf if change is None else change.timestamp()

    def freshness(self, dataset: str) -> str:
        """Give ``fresh``, ``warn`` or ``error`` for that dataset, now."""
        return self.datasets[dataset].freshness.status(self.newest[dataset], datetime.now(UTC))


def open_generation(store: Store, name: str, limits: EngineLimits, turns: Turns) -> Generation:
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
        newest={name: table.newest for name, table in manifest.tables.items()},
        engine=DuckEngine(files, limits, turns.questions),
        indexes=dict(_indexes(store, manifest)),
        turns=turns,
    )


def _indexes(store: Store, manifest: Manifest) -> Iterator[tuple[str, KeyIndex]]:
    for name, table in manifest.tables.items():
        index = open_index(store.index_file(table.hash), table)
        if index is not None:
            yield name, index


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
