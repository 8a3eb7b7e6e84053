"""What callers have of a refresh: trigger one, follow it, look at the book of jobs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from time import monotonic, sleep

from app.discovery import Plugins
from app.errors import InvalidBodyError
from app.generation import Store, WorkerMark, state_refusal, worker_marks
from app.refresh.audit import Audit
from app.refresh.builder import dry_run_aside, retention_of, start_builder
from app.refresh.job import Job, Request
from app.refresh.jobs import Jobs
from app.refresh.outcomes import Outcome, Outcomes
from app.refresh.rollback import roll_back
from app.registry import Registry, nearest, read_registry
from app.settings import Settings

_LOOK_SECONDS = 0.03


@dataclass(frozen=True)
class Refresher:
    """Triggers refreshes on one Store; a builder process does them."""

    settings: Settings
    store: Store
    plugins: Plugins

    @cached_property
    def jobs(self) -> Jobs:
        """Give the book of jobs."""
        return Jobs(self.store)

    @property
    def audit(self) -> Audit:
        """Give the audit, which has each attempt and what came of it."""
        return Audit(self.store)

    def outcomes(self) -> dict[str, Outcome]:
        """Give how refreshes have ended, by the name of the outcome."""
        return Outcomes(self.store).read()

    def worker_marks(self) -> list[WorkerMark]:
        """Give what each living worker says of the Generation it serves."""
        return worker_marks(self.store)

    def trigger(self, request: Request) -> Job:
        """Have the registry checked, then have the call's job done.

        Raises:
            RegistryError: ``datasets.yaml`` has errors.
            InvalidBodyError: the call names a source or a dataset that is not declared.
            NoRoomError, StateError: the state directory cannot be used.
        """
        with self.audit.attempt(request), _usable_state():
            check_names(read_registry(self.settings.registry), request)
            job, needs_builder = self.jobs.submit(request)
            if needs_builder:
                start_builder(self.settings, job.job_id)
        return job

    def dry_run(self, request: Request) -> dict[str, object]:
        """Say what a refresh would change, before it is done; changes nothing.

        Raises:
            ServiceError: it would be refused.
        """
        with self.audit.attempt(request), _usable_state():
            check_names(read_registry(self.settings.registry), request)
            self.audit.planning(request)
            report = dry_run_aside(self.settings, request)
            self.audit.planned(request)
        return report

    def roll_back(self, request: Request) -> Job:
        """Bring the Generation that is asked for back under a new number; give the job, done.

        Raises:
            RefreshRunningError: a refresh is at work.
            GenerationGoneError: it is not kept.
        """
        with self.audit.attempt(request), _usable_state():
            return roll_back(self.store, self.plugins, retention_of(self.settings), request)

    def wait(
        self, job_id: str, seconds: float, told: Callable[[Job], None] = lambda _: None
    ) -> Job:
        """Wait until a job is finished, or for so many seconds; give its record."""
        until = monotonic() + seconds
        while True:
            job = self.jobs.job(job_id)
            told(job)
            if job.finished or monotonic() >= until:
                return job
            sleep(_LOOK_SECONDS)


@contextmanager
def _usable_state() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise state_refusal(error) from error


def check_names(registry: Registry, request: Request) -> None:
    """Refuse a call that names what is not declared.

    Raises:
        InvalidBodyError: with every name that is wrong, and the nearest right one.
    """
    errors = []
    if request.source is not None and request.source not in registry.sources:
        errors.append(_unknown("source", request.source, list(registry.sources)))
    served = {
        name: dataset
        for name, dataset in registry.served.items()
        if request.source in (None, dataset.source)
    }
    missing = [name for name in request.datasets if name not in served]
    errors += [_unknown("datasets", name, list(served)) for name in missing]
    if errors:
        raise InvalidBodyError(str(errors[0]["message"]), errors=errors)


def _unknown(member: str, name: str, known: list[str]) -> dict[str, object]:
    close = nearest(name, known)
    message = f"{member}: there is no {name!r}" + (f"; did you mean {close!r}?" if close else "")
    return {"pointer": f"/{member}", "message": message, "allowed": known}
