"""Brings a kept Generation back under a new number. Reads no source and loads nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, sleep

import structlog

from app.discovery import Plugins
from app.errors import GenerationGoneError, RefreshRunningError
from app.generation import (
    Manifest,
    Retention,
    Store,
    collect,
    commit,
    completed_datasets,
    manifest_name,
)
from app.refresh.changes import Side, changes_of, sides
from app.refresh.job import Job, Request, now
from app.refresh.jobs import Jobs
from app.registry import registry_from_document, with_access_of

log = structlog.get_logger()

_TIDYING_SECONDS = 1.0
_LOOK_SECONDS = 0.02


def roll_back(store: Store, plugins: Plugins, retention: Retention, request: Request) -> Job:
    """Make the Generation that the request names the current one again; give the job's record.

    Raises:
        RefreshRunningError: a refresh runs or waits; a rollback joins nothing.
        GenerationGoneError: that Generation is not kept.
    """
    jobs = Jobs(store)
    with store.lock("builders", shared=True), _at_rest(store, jobs):
        store.tidy()
        latest, wanted = store.latest(), _kept(store, request.generation or 0)
        if latest is not None:
            # What was closed since stays closed.
            document = with_access_of(wanted.document, latest.document)
            wanted = replace(wanted, document=document)
        changes = _changes(plugins, latest, wanted)
        job = replace(jobs.new(request), status="running", started_at=now())
        jobs.begin(job)
        number = latest.number if latest else 0
        if latest is None or not wanted.like(latest):
            number = store.next_number()
            moment = datetime.now(UTC)
            back = replace(wanted, number=number, committed_at=moment, job_id=job.job_id)
            commit(store, back)
            log.info("generation committed", generation=number, datasets=len(back.tables))
        done = replace(
            job,
            status="unchanged" if latest and number == latest.number else "succeeded",
            finished_at=now(),
            generation={"from": latest.number if latest else None, "to": number},
            datasets=changes,
        )
        jobs.close(done)
        collect(store, retention)
    return done


@contextmanager
def _at_rest(store: Store, jobs: Jobs) -> Iterator[None]:
    """Hold the lock of builds; a builder whose job is done has to tidy yet, and is waited for."""
    until = monotonic() + _TIDYING_SECONDS
    while True:
        with store.lock("build", wait=False) as free:
            if free and jobs.waiting() is None:
                yield
                return
        if jobs.at_work() or monotonic() >= until:
            raise RefreshRunningError("A refresh is at work; roll back when it is done.")
        sleep(_LOOK_SECONDS)


def _kept(store: Store, number: int) -> Manifest:
    try:
        return store.manifest(manifest_name(number))
    except FileNotFoundError as error:
        kept = store.numbers()
        raise GenerationGoneError(
            f"Generation {number} is not kept; kept are {', '.join(map(str, kept)) or 'none'}.",
            kept=kept,
        ) from error


def _changes(
    plugins: Plugins, latest: Manifest | None, wanted: Manifest
) -> tuple[dict[str, object], ...]:
    before = _sides(plugins, latest) if latest else {}
    after = _sides(plugins, wanted)
    return tuple(
        {
            "name": name,
            "outcome": _outcome(before.get(name), after.get(name)),
            "rows": after[name].table.rows if name in after else None,
            "changes": {**changes_of(before.get(name), after.get(name)), "by_key": None},
        }
        for name in sorted(before.keys() | after.keys())
    )


def _outcome(before: Side | None, after: Side | None) -> str:
    if after is None:
        return "removed"
    if before is None:
        return "added"
    return "reused" if before.table.hash == after.table.hash else "loaded"


def _sides(plugins: Plugins, manifest: Manifest) -> dict[str, Side]:
    registry = registry_from_document(manifest.document, manifest.folder)
    datasets = completed_datasets(registry, manifest.tables)
    return sides(datasets, manifest.tables, plugins.offers(datasets)[0])
