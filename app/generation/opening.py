"""Opens Generations: every Table at once, and the indexes that others have open once for all."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from app.dataset import Dataset
from app.engine import DuckEngine, EngineLimits, Index, Turns, open_index
from app.generation.generation import Generation
from app.generation.manifest import Manifest
from app.generation.store import Store
from app.query import KEYS
from app.registry import Registry, registry_from_document
from app.table import Table


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens the Generations of one Store for one worker."""

    store: Store
    limits: EngineLimits
    turns: Turns
    # Of what a refresh left as it was, the next Generation has the same indexes.
    _open: WeakValueDictionary[str, Index] = field(default_factory=WeakValueDictionary)

    def open(self, name: str) -> Generation:
        """Open the Generation of that manifest: every Table at once, so that unlinking is safe.

        Raises:
            FileNotFoundError: it has been collected.
        """
        manifest = self.store.manifest(name)
        registry = registry_from_document(manifest.document, manifest.folder)
        tables = manifest.tables
        files = {name: self.store.table_file(table.hash) for name, table in tables.items()}
        for path in files.values():
            path.stat()
        little, most = self.limits.parted()
        datasets = completed_datasets(registry, tables)
        return Generation(
            name=name,
            number=manifest.number,
            committed_at=manifest.committed_at,
            registry=registry,
            tables=tables,
            datasets=datasets,
            findings=manifest.findings,
            degraded=manifest.degraded,
            shape=_shape(manifest),
            deadlines={
                name: each.freshness.deadlines(tables[name].newest)
                for name, each in datasets.items()
            },
            engine=DuckEngine(files, most, self.turns.questions),
            small=DuckEngine(files, little, self.turns.small),
            indexes={name: dict(self._indexes(table)) for name, table in tables.items()},
            turns=self.turns,
        )

    def _indexes(self, table: Table) -> Iterator[tuple[str, Index]]:
        held = {**dict.fromkeys((KEYS, *table.orders), table), **table.rollups}
        for name, rows in held.items():
            if rows.index_bytes or name in table.orders:
                path = self.store.index_file(table.hash, name)
                index = self._open.get(path.name) or open_index(path, rows)
                if index is not None:
                    self._open[path.name] = index
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
        name: [
            (each.name, each.type, each.physical, each.nan, not each.nulls)
            for each in table.columns
        ]
        for name, table in manifest.tables.items()
    }
    # What a Table has not may be left out in one Generation and made in the next.
    prepared = {name: [*table.orders, *table.rollups] for name, table in manifest.tables.items()}
    text = json.dumps([manifest.document, columns, prepared], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
