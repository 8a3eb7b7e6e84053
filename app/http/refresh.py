"""The refresh over HTTP: who may, what was asked, and the record of what came of it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from app.errors import InvalidBodyError, ServiceError
from app.formats import JSON, json_bytes
from app.http.attempts import REFRESH, Attempts
from app.http.body import json_object, turns
from app.http.jobs import HISTORY, JOB, TRIGGER, job_document, job_view
from app.http.problems import sentence
from app.http.visit import visit_of
from app.refresh import Job, Refresher, Request
from app.registry import nearest

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})")
# Of the threads of a worker at most these wait for a job; the others go on answering.
_MOST_WAITING = 8


class Flag(ma.fields.Boolean):
    """``true`` or ``false`` and nothing that is only like it: to Python 1 is true."""

    def _deserialize(self, value: object, *_: object, **__: object) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class RefreshSchema(ma.Schema):
    """What the body of a refresh may say; all of it is optional."""

    source = ma.fields.String(metadata={"description": "Look at this source's data only."})
    datasets = ma.fields.List(
        ma.fields.String(), metadata={"description": "Look at these datasets' data only."}
    )
    force = Flag(metadata={"description": "Read files that look unchanged."})
    dry_run = Flag(metadata={"description": "Say what would change, and change nothing."})
    generation = ma.fields.Integer(
        strict=True,
        allow_none=True,
        metadata={"description": "Bring this kept Generation back; alone, without other members."},
    )

    @ma.validates_schema
    def check_alone(self, data: Mapping[str, Any], **_: object) -> None:
        """Refuse a rollback that asks for something else too."""
        others = sorted(data.keys() - {"generation"})
        if data.get("generation") is not None and others:
            raise ma.ValidationError({"generation": [f"goes alone, without {', '.join(others)}"]})


def refresh_blueprint(refresher: Refresher, attempts: Attempts) -> Blueprint:
    """Give the routes of the refresh: trigger, one job, history."""
    blueprint = Blueprint("refresh", __name__, url_prefix="/api/v1/data")
    _add_trigger(blueprint, refresher, attempts)
    _add_records(blueprint, refresher)
    return blueprint


def _add_trigger(blueprint: Blueprint, refresher: Refresher, attempts: Attempts) -> None:
    waiting, reading = BoundedSemaphore(_MOST_WAITING), turns()

    @blueprint.route("/refresh", methods=["POST"], tags=["refresh"])
    @blueprint.doc(**TRIGGER)
    def trigger() -> Response:
        """Trigger a refresh: read the registry and the sources again, and serve what they hold."""
        visit = visit_of(request.environ)
        call = attempts.call(request.environ, visit)
        with refresher.audit.attempt(call):
            visit.caller.require("refresh")
            asked = _asked(reading)
        call = _asking(call, asked)
        if call.generation is not None:
            return _triggered(refresher.roll_back(call), refresher)
        if asked.get("dry_run"):
            return _json(refresher.dry_run(call))
        job = refresher.trigger(call)
        return _triggered(_waited(refresher, job, waiting), refresher)


def _add_records(blueprint: Blueprint, refresher: Refresher) -> None:
    @blueprint.route("/refresh", methods=["GET"], tags=["refresh"])
    @blueprint.doc(**job_document("refresh_history", HISTORY, 401, 403))
    def history() -> Response:
        """List the jobs, newest first."""
        visit_of(request.environ).caller.require("refresh")
        marks = refresher.worker_marks()
        jobs = [job_view(job, marks) for job in refresher.jobs.history()]
        return _json({"jobs": jobs})

    @blueprint.route("/refresh/<job_id>", methods=["GET"], tags=["refresh"])
    @blueprint.doc(**job_document("refresh_job", JOB, 401, 403, 404))
    def one(job_id: str) -> Response:
        """Show one job."""
        visit_of(request.environ).caller.require("refresh")
        return _json(job_view(refresher.jobs.job(job_id), refresher.worker_marks()))


def _asking(call: Request, asked: Mapping[str, Any]) -> Request:
    return replace(
        call,
        source=asked.get("source"),
        datasets=tuple(asked.get("datasets", ())),
        force=asked.get("force", False),
        generation=asked.get("generation"),
    )


def _asked(reading: BoundedSemaphore) -> dict[str, Any]:
    """Read the body; every part of it is optional, and so is the body."""
    given = json_object(reading)
    try:
        read: dict[str, Any] = RefreshSchema().load(given)
    except ma.ValidationError as error:
        raise _unfit(error) from error
    return read


def _unfit(error: ma.ValidationError) -> InvalidBodyError:
    known = sorted(RefreshSchema().fields)
    problems = []
    for name, messages in _messages(error).items():
        message = str(
            next(iter(messages.values()) if isinstance(messages, dict) else iter(messages))
        )
        problem: dict[str, object] = {"pointer": f"/{name}", "message": message}
        if name not in known:
            close = nearest(str(name), known)
            hint = f"; did you mean {close!r}?" if close else ""
            problem |= {"message": f"unknown member{hint}", "allowed": known}
        problems.append(problem)
    told = "; ".join(f"{each['pointer']}: {each['message']}" for each in problems)
    return InvalidBodyError(sentence(told), errors=problems)  # fmt: skip


def _messages(error: ma.ValidationError) -> dict[str, Any]:
    given = error.messages
    return given if isinstance(given, dict) else {"": given}


def _waited(refresher: Refresher, job: Job, waiting: BoundedSemaphore) -> Job:
    """Wait for a job as long as the client prefers, unless too many wait already."""
    seconds = _wait_seconds(refresher)
    if not seconds or not waiting.acquire(blocking=False):
        return job
    try:
        return refresher.wait(job.job_id, seconds)
    finally:
        waiting.release()


def _wait_seconds(refresher: Refresher) -> float:
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(found[1]), refresher.settings.wait_seconds) if found else 0.0


def _triggered(job: Job, refresher: Refresher) -> Response:
    own = f"{REFRESH}/{job.job_id}"
    if job.status == "failed" and job.problem is not None:
        refusal = ServiceError.from_fact(job.problem)
        refusal.facts["job_id"] = job.job_id
        raise refusal
    if job.finished:
        return _json(job_view(job, refresher.worker_marks()))
    body = {
        "status": "triggered",
        "job_id": job.job_id,
        "estimated_completion": job.estimated_completion,
        "message": "The refresh is on its way; the job tells how far it is.",
        "links": {"job": own, "history": REFRESH},
    }
    return _json(body, status=202, headers={"Location": own})


def _json(
    body: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    told = {"Content-Type": JSON, "Cache-Control": "no-store", **(headers or {})}
    return Response(json_bytes(body), status=status, headers=told)
