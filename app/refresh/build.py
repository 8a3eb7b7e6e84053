"""Makes the next Generation: plan, copy, load, verify, commit, record. Knows no HTTP."""

import errno
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from app.dataset import Dataset
from app.discovery import Clash, Plugins
from app.engine import EngineLimits, Loading, Table, load_table
from app.errors import NoRoomError, RefreshError, RegistryError, ServiceError, SourceError
from app.generation import Manifest, Retention, Store, collect, completed_datasets
from app.refresh.copying import copy_files
from app.refresh.job import Job, Jobs, now
from app.refresh.plan import Step, plan_refresh
from app.refresh.sources import find_files
from app.registry import Registry, read_registry

log = structlog.get_logger()

_PROGRESS_SECONDS = 0.2
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(slots=True)
class Build:
    """One job being done by the only builder of the host."""

    job: Job
    store: Store
    registry_file: Path
    plugins: Plugins
    limits: EngineLimits
    retention: Retention
    outcomes: dict[str, dict[str, object]] = field(default_factory=dict)
    told_at: float = 0.0

    def run(self) -> Job:
        """Do the job; give its finished record, which is kept.

        Whatever goes wrong before the commit changes nothing but the record.
        """
        self.store.tidy()
        try:
            self._refresh()
        except ServiceError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_refusal(error))
        except Exception as error:
            log.exception("refresh failed", job_id=self.job.job_id)
            self._fail(RefreshError(f"The refresh met a fault: {type(error).__name__}."))
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)
        return self.job

    @property
    def _staging(self) -> Path:
        return self.store.staging / self.job.job_id

    def _refresh(self) -> None:
        registry = read_registry(self.registry_file)
        latest = self.store.latest()
        previous = self._kept(latest)
        steps = plan_refresh(registry, previous, self.job.requests)
        self.job = replace(
            self.job,
            generation={"from": latest.number if latest else None, "to": None},
            progress={"done": 0, "total": _bytes(registry, steps)},
        )
        tables = self._tables(registry, steps)
        for name in previous.keys() - tables.keys():
            self.outcomes[name] = {"name": name, "outcome": "removed"}
        self._check_offers(registry, tables)
        if latest and _same(latest, registry, tables):
            self._finish("unchanged", latest.number)
            collect(self.store, self.retention)
            return
        self._commit(registry, tables)

    def _kept(self, latest: Manifest | None) -> dict[str, Table]:
        """Give the Tables of the current Generation whose files have not been lost."""
        tables = latest.tables if latest else {}
        return {name: t for name, t in tables.items() if self.store.table_file(t.hash).exists()}

    def _tables(self, registry: Registry, steps: list[Step]) -> dict[str, Table]:
        """Give a Table for each dataset; every one is tried, so that all faults are told."""
        tables, errors = {}, []
        for step in steps:
            started = monotonic()
            outcome: dict[str, object] = {"name": step.dataset.name, "outcome": "reused"}
            self.outcomes[step.dataset.name] = outcome
            try:
                table = step.kept or self._loaded(registry, step)
            except ServiceError as error:
                errors.append(error)
                outcome.update(outcome="failed", problems=_problems(error))
            else:
                tables[step.dataset.name] = table
                outcome.update(outcome=_outcome(step, table), rows=table.rows)
            outcome["seconds"] = round(monotonic() - started, 3)
        if errors:
            raise errors[0]
        return tables

    def _loaded(self, registry: Registry, step: Step) -> Table:
        loading = copied(registry, step.dataset, self._staging, self._progress)
        if step.previous is not None and step.previous.hash == loading.hash:
            return replace(step.previous, files=tuple(loading.files))
        return load_table(loading, self.store.tables, self.limits)

    def _check_offers(self, registry: Registry, tables: Mapping[str, Table]) -> None:
        _, clashes = self.plugins.offers(completed_datasets(registry, tables))
        if clashes:
            raise refused_offers(registry, clashes)

    def _commit(self, registry: Registry, tables: Mapping[str, Table]) -> None:
        manifest = Manifest(
            number=self.store.next_number(),
            committed_at=datetime.now(UTC),
            job_id=self.job.job_id,
            document=registry.document,
            folder=registry.folder,
            tables=tables,
        )
        self.store.commit(manifest)
        log.info("generation committed", generation=manifest.number, datasets=len(tables))
        self._finish("succeeded", manifest.number)
        collect(self.store, self.retention)

    def _finish(self, status: str, generation: int) -> None:
        self.job = replace(
            self.job,
            status=status,
            finished_at=now(),
            generation={**self.job.generation, "to": generation},
            datasets=tuple(self.outcomes.values()),
        )
        Jobs(self.store).write(self.job)

    def _fail(self, error: ServiceError) -> None:
        log.warning("refresh refused", job_id=self.job.job_id, problem=error.slug)
        self.job = replace(
            self.job,
            status="failed",
            finished_at=now(),
            datasets=tuple(self.outcomes.values()),
            problem={
                "type": error.slug,
                "title": error.title,
                "status": error.status,
                "detail": error.detail,
                **error.facts,
            },
        )
        Jobs(self.store).write(self.job)

    def _progress(self, copied: int) -> None:
        progress = self.job.progress
        self.job = replace(self.job, progress={**progress, "done": progress["done"] + copied})
        if monotonic() - self.told_at > _PROGRESS_SECONDS:
            self.told_at = monotonic()
            Jobs(self.store).write(self.job)


def copied(
    registry: Registry, dataset: Dataset, staging: Path, progress: Callable[[int], None]
) -> Loading:
    """Copy a dataset's files into a folder of its own below ``staging``, ready to be loaded.

    Raises:
        SourceError: a file is refused.
        NoRoomError: the copies do not fit.
    """
    staging.mkdir(mode=0o700, exist_ok=True)
    folder = staging / dataset.name
    files = copy_files(registry.sources[dataset.source], dataset, folder, progress)
    copies = [folder / f"{index:04d}.parquet" for index in range(len(files))]
    if dataset.hive_partitioning:
        copies = _in_partitions(copies, [folder / "by" / file.path for file in files])
    return Loading(dataset, copies, [file.as_fact() for file in files])


def refused_offers(registry: Registry, clashes: list[Clash]) -> RegistryError:
    """Give the refusal of endpoints that cannot be offered, each with its place in the file."""
    errors = [registry.diagnostic(_pointer(registry, each), each.message) for each in clashes]
    return RegistryError(
        f"{errors[0]}" + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""),
        errors=[error.as_fact() for error in errors],
    )


def _pointer(registry: Registry, clash: Clash) -> str:
    """Give the place of an endpoint in the registry: in a list it is known by its number."""
    document: Any = registry.document
    listed = document["datasets"][clash.dataset].get("endpoints")
    among = isinstance(listed, list) and clash.endpoint in listed
    at = listed.index(clash.endpoint) if among else clash.endpoint
    return f"/datasets/{clash.dataset}/endpoints/{at}"


def _bytes(registry: Registry, steps: list[Step]) -> int:
    """Count what is to be copied; a source that is refused is told of when it is copied."""
    total = 0
    for dataset in (step.dataset for step in steps if step.kept is None):
        with suppress(SourceError):
            found = find_files(registry.sources[dataset.source], dataset)
            total += sum(file.bytes for file in found)
    return total


def _same(latest: Manifest, registry: Registry, tables: Mapping[str, Table]) -> bool:
    hashes = {name: table.hash for name, table in tables.items()}
    before = {name: table.hash for name, table in latest.tables.items()}
    same_registry = latest.document == registry.document and latest.folder == registry.folder
    return same_registry and hashes == before


def _outcome(step: Step, table: Table) -> str:
    if step.previous is None:
        return "added"
    return "reused" if step.previous.hash == table.hash else "loaded"


def _problems(error: ServiceError) -> list[object]:
    errors = error.facts.get("errors")
    if isinstance(errors, list):
        return errors
    return [{"severity": "error", "rule": error.slug, "message": error.detail}]


def _in_partitions(copies: list[Path], named: list[Path]) -> list[Path]:
    """Give the copies the folders ``k=v`` that their columns are read from."""
    for copy, name in zip(copies, named, strict=True):
        name.parent.mkdir(parents=True, exist_ok=True)
        copy.rename(name)
    return named


def _refusal(error: OSError) -> ServiceError:
    if error.errno in _FULL:
        return NoRoomError("The state directory is full.")
    return RefreshError(f"The state directory cannot be used: {error.strerror}.")
