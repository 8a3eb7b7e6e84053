"""The book of jobs: their records in the Store, of which one runs and one may wait at most."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from app.errors import NotFoundError
from app.generation import Store, write_whole
from app.refresh.audit import Audit
from app.refresh.job import INTERRUPTED, Job, Request, now, stamp
from app.refresh.outcomes import Outcomes

_MOST_RECORDS = 1_000
_MOST_ORPHANS = 20
_TICK_NANOSECONDS = 50_000_000


class Jobs:
    """The book of jobs: at most one runs, and at most one waits, on the whole host."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._audit = Audit(store)
        self._last: tuple[int | None, Job | None] = (None, None)

    def submit(self, request: Request) -> tuple[Job, bool]:
        """Have a call join the waiting job, or write a new one.

        Returns:
            The job, and whether a builder has to be started for it.
        """
        with self._store.lock("jobs"):
            waiting = self.waiting()
            if waiting is not None:
                self._audit.accepted(request, waiting.job_id)
                if request not in waiting.requests:
                    waiting = replace(waiting, requests=(*waiting.requests, request))
                    self.write(waiting)
                return waiting, self._abandoned(waiting)
            job = replace(self.new(request), estimated_completion=self._estimate())
            self.begin(job)
            return job, True

    def new(self, request: Request) -> Job:
        """Give the record of a job that was just asked for.

        Its id comes after every other, also when the clock was set back.
        """
        newest = next(iter(self._ids()), "job_0_")
        moment = max(time.time_ns(), int(newest.split("_")[1]) + 1)
        job_id = f"job_{moment:020d}_{secrets.token_hex(4)}"
        return Job(job_id, (request,), requested_at=now(), estimated_completion=now())

    def start(self) -> Job | None:
        """Mark the waiting job as running and give it; to be called by the only builder."""
        with self._store.lock("jobs"):
            self._close_orphans()
            waiting = self.waiting()
            if waiting is None:
                return None
            running = replace(waiting, status="running", started_at=now())
            self.write(running)
            return running

    def begin(self, job: Job) -> None:
        """Keep the record of a new job, once the audit has it: nothing is done unaudited."""
        self._audit.accepted(job.requests[0], job.job_id)
        self.write(job)

    def close(self, job: Job) -> None:
        """Keep the record of a job that has ended, once the audit has how; and count it."""
        with self._store.lock("jobs"):
            self._close(job)

    def close_unbegun(self, job_id: str) -> None:
        """Close the record of a job whose builder ended before it began."""
        with self._store.lock("jobs"):
            job = self._read(job_id)
            if job is not None and job.status == "triggered":
                self._closed(job)

    def waiting(self) -> Job | None:
        """Give the job that waits, if there is one."""
        return next((job for job in self._newest() if job.status == "triggered"), None)

    def at_work(self) -> bool:
        """Tell whether a job runs or waits."""
        return not all(job.finished for job in self._newest())

    def write(self, job: Job) -> None:
        """Keep a record as it is now."""
        write_whole(self._store.jobs / f"{job.job_id}.json", job.as_bytes())

    def job(self, job_id: str) -> Job:
        """Give the record of one job.

        Raises:
            NotFoundError: there is none of that id.
        """
        job = self._read(job_id)
        if job is None:
            raise NotFoundError(f"No job {job_id!r}.", job_id=job_id)
        return job if job.finished else self._settled(job)

    def history(self) -> list[Job]:
        """Give all records, newest first."""
        read = (self._read(job_id) for job_id in self._ids())
        return [job if job.finished else self._settled(job) for job in read if job is not None]

    def last_finished(self) -> Job | None:
        """Give the newest record of a job that is finished, if there is one."""
        try:
            changed = self._store.jobs.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        seen, last = self._last
        if changed != seen:
            read = (self._read(job_id) for job_id in self._ids())
            last = next((job for job in read if job is not None and job.finished), None)
            # Of two changes within a tick of the kernel's clock the second one cannot be seen.
            settled = time.time_ns() - changed > _TICK_NANOSECONDS
            self._last = (changed if settled else None, last)
        return last

    def forget_old(self) -> None:
        """Remove the oldest records beyond a thousand."""
        for job_id in self._ids()[_MOST_RECORDS:]:
            (self._store.jobs / f"{job_id}.json").unlink(missing_ok=True)

    def _settled(self, job: Job) -> Job:
        """Close the record of a job whose builder died, which the locks tell.

        Who runs a job holds the lock ``build``; whoever is going to holds ``builders``, shared.
        """
        lock = "build" if job.status == "running" else "builders"
        with self._store.lock(lock, wait=False) as free, self._store.lock("jobs"):
            job = self._read(job.job_id) or job
            if not free or job.finished or (job.status == "triggered" and not _is_late(job)):
                return job
            return self._closed(job)

    def _close_orphans(self) -> None:
        """Close what runs no more; to be called by the only builder."""
        for job_id in self._ids()[:_MOST_ORPHANS]:
            job = self._read(job_id)
            if job is not None and job.status == "running":
                self._closed(job)

    def _closed(self, job: Job) -> Job:
        latest = self._store.latest()
        if latest is not None and latest.job_id == job.job_id:
            to = {**job.generation, "to": latest.number}
            job = replace(job, status="succeeded", finished_at=now(), generation=to)
        else:
            job = replace(job, status="failed", finished_at=now(), problem=INTERRUPTED)
        self._close(job)
        return job

    def _close(self, job: Job) -> None:
        self._audit.ended(job)
        self.write(job)
        Outcomes(self._store).count(job)

    def _abandoned(self, job: Job) -> bool:
        """Tell whether a job has waited for long while no builder is there to do it."""
        with self._store.lock("builders", wait=False) as free:
            return free and _is_late(job)

    def _newest(self) -> Iterator[Job]:
        """Give the few among which are all that are not finished."""
        read = (self._read(job_id) for job_id in self._ids()[:3])
        return (job for job in read if job is not None)

    def _ids(self) -> list[str]:
        return sorted((path.stem for path in self._store.jobs.glob("job_*.json")), reverse=True)

    def _read(self, job_id: str) -> Job | None:
        if not job_id.replace("_", "").isalnum():
            return None
        try:
            return Job.from_bytes((self._store.jobs / f"{job_id}.json").read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            # Gone, or of another version of the service.
            return None

    def _estimate(self) -> str:
        """Say when a job triggered now should be done: as long as the last good one took."""
        done = (self._read(job_id) for job_id in self._ids()[:20])
        took = [job.seconds for job in done if job is not None and job.status == "succeeded"]
        seconds = took[0] if took and took[0] is not None else _FIRST_GUESS_SECONDS
        return stamp(time.time() + seconds)


_FIRST_GUESS_SECONDS = 10.0
# A builder needs less than a second to start.
_PATIENCE_SECONDS = 10.0


def _is_late(job: Job) -> bool:
    waited = datetime.now(UTC) - datetime.fromisoformat(job.requested_at)
    # Before it was asked for: the clock was set back, and tells nothing.
    return not 0 <= waited.total_seconds() <= _PATIENCE_SECONDS
