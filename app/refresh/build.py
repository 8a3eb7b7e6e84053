"""Does one job: plans the next Generation, commits it, records what came of it. Knows no HTTP."""

import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from time import monotonic

import structlog

from app.errors import RefreshError, ServiceError
from app.generation import Manifest, Retention, Store, collect, commit, state_refusal
from app.refresh.job import Job, now
from app.refresh.jobs import Jobs
from app.refresh.loads import Place, bytes_of
from app.refresh.plan import Plan, Planner
from app.refresh.steps import decide_steps
from app.refresh.tools import Tools
from app.registry import Registry, read_registry
from app.table import Table

log = structlog.get_logger()

_PROGRESS_SECONDS = 0.2


@dataclass(slots=True)
class Build:
    """One job being done by the only builder of the host."""

    job: Job
    store: Store
    tools: Tools
    retention: Retention
    plan: Plan = field(default_factory=Plan)
    told_at: float = 0.0
    telling: Lock = field(default_factory=Lock)

    def run(self) -> Job:
        """Do the job; give its finished record, which is kept.

        Whatever goes wrong before the commit changes nothing but the record.
        """
        staging = self.store.staging / self.job.job_id
        try:
            self.store.tidy()
            limits, index_bytes = self.tools.limits, self.tools.index_bytes
            self._refresh(Place(staging, self.store.tables, limits, index_bytes))
        except ServiceError as error:
            self._fail(error)
        except OSError as error:
            self._fail(state_refusal(error))
        except Exception as error:
            log.exception("refresh failed", job_id=self.job.job_id)
            self._fail(RefreshError(f"The refresh met a fault: {type(error).__name__}."))
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return self.job

    def _refresh(self, place: Place) -> None:
        registry = read_registry(self.tools.registry_file)
        latest = self.store.latest()
        steps = decide_steps(registry, self._kept(latest), self.job.requests)
        self.job = replace(
            self.job,
            registry=registry.fingerprint,
            generation={"from": latest.number if latest else None, "to": None},
            progress={"done": 0, "total": sum(bytes_of(registry, step) for step in steps)},
        )
        planner = Planner(registry, latest, self.store.tables, self.tools.plugins, place)
        planner.fill(self.plan, steps, self._progress)
        manifest = self._manifest(registry)
        if latest and manifest.like(latest):
            self._finish("unchanged", latest.number)
            collect(self.store, self.retention)
            return
        commit(self.store, manifest)
        log.info("generation committed", generation=manifest.number, datasets=len(manifest.tables))
        self._finish("succeeded", manifest.number)
        collect(self.store, self.retention)

    def _kept(self, latest: Manifest | None) -> dict[str, Table]:
        """Give the Tables of the current Generation whose files have not been lost."""
        tables = latest.tables if latest else {}
        return {name: t for name, t in tables.items() if self.store.table_file(t.hash).exists()}

    def _manifest(self, registry: Registry) -> Manifest:
        return Manifest(
            number=self.store.next_number(),
            committed_at=datetime.now(UTC),
            job_id=self.job.job_id,
            document=self.plan.document,
            folder=registry.folder,
            tables=self.plan.tables,
            findings=self.plan.findings,
            degraded=self.plan.degraded,
        )

    def _finish(self, status: str, generation: int) -> None:
        self._record(status=status, generation={**self.job.generation, "to": generation})

    def _fail(self, error: ServiceError) -> None:
        """Record a failure, unless the pointer moved before it: then all is done but tidying."""
        latest = self.store.latest()
        if latest is not None and latest.job_id == self.job.job_id:
            log.error("fault after the commit", job_id=self.job.job_id, problem=error.slug)
            self._finish("succeeded", latest.number)
            return
        log.warning("refresh refused", job_id=self.job.job_id, problem=error.slug)
        self._record(status="failed", problem=error.as_fact())

    def _record(self, **outcome: object) -> None:
        # Whoever is told that it ended finds nothing of it left behind.
        shutil.rmtree(self.store.staging / self.job.job_id, ignore_errors=True)
        datasets = tuple(self.plan.datasets.values())
        self.job = replace(self.job, finished_at=now(), datasets=datasets, **outcome)  # type: ignore[arg-type]
        Jobs(self.store).close(self.job)

    def _progress(self, copied: int) -> None:
        with self.telling:
            progress = self.job.progress
            self.job = replace(self.job, progress={**progress, "done": progress["done"] + copied})
            if monotonic() - self.told_at > _PROGRESS_SECONDS:
                self.told_at = monotonic()
                Jobs(self.store).write(self.job)
