"""The audit: one line of JSON for each attempt to refresh, and one for what came of it.

A line is written before the work begins and another after it has ended, each whole and
durable. What cannot be audited is not done.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from app.errors import InternalError, ServiceError
from app.generation import Store, sync_folder
from app.logs import line_of
from app.refresh.job import Job, Request, now

log = structlog.get_logger()

# Strangers may call as often as they like; they must not fill the disk.
_MOST_FOR_STRANGERS = 64 * 1024 * 1024


class Audit:
    """The file ``audit.jsonl`` in the Store (0600), which is only ever added to."""

    def __init__(self, store: Store) -> None:
        self._path = store.path / "audit.jsonl"

    @contextmanager
    def attempt(self, request: Request) -> Iterator[None]:
        """Write down that the call was refused, if its block is left by a refusal or a fault."""
        try:
            yield
        except Exception as error:
            self.refused(request, error if isinstance(error, ServiceError) else InternalError(""))
            raise

    def accepted(self, request: Request, job_id: str) -> None:
        """Write down that a job answers a call, before anything is done for it.

        Raises:
            OSError: it cannot be written.
        """
        self._write({"outcome": "accepted", **_who(request), "job_id": job_id})

    def planning(self, request: Request) -> None:
        """Write down that a dry run begins.

        Raises:
            OSError: it cannot be written.
        """
        self._write({"outcome": "planning", **_who(request)})

    def planned(self, request: Request) -> None:
        """Write down that a dry run has ended.

        Raises:
            OSError: it cannot be written.
        """
        self._write({"outcome": "planned", **_who(request)})

    def refused(self, request: Request, error: ServiceError) -> None:
        """Write down that a call was refused; it stays so where that cannot be written."""
        told = {"outcome": "refused", **_who(request), "problem": error.slug}
        try:
            self._write(told, stranger=not request.by)
        except OSError:
            log.exception("audit not written", problem=error.slug)

    def ended(self, job: Job) -> None:
        """Write down how a job ended, before its record says so.

        Raises:
            OSError: it cannot be written.
        """
        told: dict[str, object] = {"outcome": job.outcome, "job_id": job.job_id}
        told["by"] = sorted({each.by for each in job.requests})
        told |= {"generation": job.generation, "registry": job.registry, "seconds": job.seconds}
        if job.problem is not None:
            told["problem"] = job.problem["type"]
        self._write(told)

    def _write(self, told: Mapping[str, object], *, stranger: bool = False) -> None:
        line = (line_of({"time": now(), **told}) + "\n").encode()
        # Opened for each line, so that it can be rotated by renaming it.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            length = os.fstat(descriptor).st_size
            if stranger and length > _MOST_FOR_STRANGERS:
                return
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, length)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if not stranger:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not length:
            sync_folder(self._path.parent)


def _who(request: Request) -> dict[str, object]:
    """Give who called, from where, and what was asked for, as far as it is known."""
    asked = {
        "source": request.source,
        "datasets": request.datasets,
        "force": request.force,
        "rollback_to": request.generation,
    }
    return {
        "by": request.by or None,
        "address": request.address or None,
        "request_id": request.request_id or None,
        "asked": {name: value for name, value in asked.items() if value},
    }
