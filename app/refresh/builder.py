"""The builder: a process of its own that does one job, so that no worker is slowed or risked."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import orjson

from app.errors import RefreshError, ServiceError
from app.generation import Retention, Store
from app.refresh.build import Build
from app.refresh.dryrun import dry_run
from app.refresh.job import Job, Request
from app.refresh.jobs import Jobs
from app.refresh.tools import Tools
from app.settings import Settings

# Answers go before refreshes where there are not cores enough for both.
_NICENESS = 10
# A source on a file system that hangs must not hold a thread for ever.
_LONGEST_DRY_RUN_SECONDS = 600
_COMMAND = [sys.executable, "-m", "app.refresh"]


def start_builder(settings: Settings, job_id: str) -> None:
    """Start a builder for the job that waits; it waits in turn for one that is at work."""
    builder = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        _COMMAND,
        env=_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    Thread(target=_see_out, args=(builder, settings, job_id), daemon=True).start()


def _see_out(builder: "subprocess.Popen[bytes]", settings: Settings, job_id: str) -> None:
    """Take its exit status, or it stays as a zombie; close the job that it never came to begin."""
    if builder.wait() != 0:
        Jobs(Store.at(settings.state)).close_unbegun(job_id)


def build_waiting(settings: Settings) -> Job | None:
    """Do the job that waits, as the only builder of the host; None where none waits."""
    store = Store.at(settings.state)
    tools = Tools.of(settings)
    with store.lock("builders", shared=True), store.lock("build"):
        job = Jobs(store).start()
        if job is None:
            return None
        finished = Build(job, store, tools, retention_of(settings)).run()
        Jobs(store).forget_old()
        return finished


def dry_run_aside(settings: Settings, request: Request) -> dict[str, object]:
    """Do a dry run in a process of its own, and give its report.

    Raises:
        ServiceError: the refresh would be refused.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [*_COMMAND, "dry-run"],
            env=_environment(settings),
            input=orjson.dumps(asdict(request)),
            stdout=subprocess.PIPE,
            check=False,
            timeout=_LONGEST_DRY_RUN_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise RefreshError("The dry run took too long and was ended; nothing changed.") from error
    if done.returncode != 0:
        raise RefreshError("The dry run ended before it was done; nothing changed.")
    report: dict[str, object] = orjson.loads(done.stdout)
    problem = report.get("problem")
    if isinstance(problem, Mapping):
        raise ServiceError.from_fact(problem)
    return report


def dry_run_here(settings: Settings, content: bytes) -> bytes:
    """Do the dry run that another process asks for; give the report, or the refusal, as JSON."""
    given = orjson.loads(content)
    request = Request(**{**given, "datasets": tuple(given["datasets"])})
    try:
        report = dry_run(Store.at(settings.state), Tools.of(settings), request)
    except ServiceError as error:
        report = {"problem": error.as_fact()}
    return orjson.dumps(report)


def retention_of(settings: Settings) -> Retention:
    """Give what these settings keep."""
    return Retention(settings.keep_generations, settings.keep_seconds, settings.keep_bytes)


def be_nice() -> None:
    """Give way to the workers."""
    os.nice(_NICENESS)


def _environment(settings: Settings) -> dict[str, str]:
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return {**os.environ, **settings.environment(), "PYTHONPATH": paths}
