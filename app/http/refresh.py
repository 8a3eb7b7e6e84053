"""The refresh over HTTP: who may, what was asked, and the record of what came of it."""

import re
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from app import errors
from app.errors import InvalidBodyError, ServiceError
from app.formats import JSON, json_bytes
from app.http.body import json_object
from app.http.jobs import HISTORY, JOB, TRIGGER, job_document, job_view
from app.http.problems import sentence
from app.http.visit import Visit, visit_of
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
    dry_run = Flag(metadata={"description": "Not supported yet: leave it false."})
    generation = ma.fields.Integer(
        strict=True,
        allow_none=True,
        metadata={"description": "Not supported yet: leave it out."},
    )

    @ma.validates_schema
    def check_supported(self, data: Mapping[str, Any], **_: object) -> None:
        """Refuse what is not supported yet rather than ignore it."""
        unsupported = {
            "dry_run": data.get("dry_run") is True,
            "generation": data.get("generation") is not None,
        }
        told = {name: ["not supported yet"] for name, asked in unsupported.items() if asked}
        if told:
            raise ma.ValidationError(told)


def refresh_blueprint(refresher: Refresher) -> Blueprint:
    """Give the routes of the refresh: trigger, one job, history."""
    blueprint = Blueprint("refresh", __name__, url_prefix="/api/v1/data")
    waiting = BoundedSemaphore(_MOST_WAITING)

    @blueprint.route("/refresh", methods=["POST"], tags=["refresh"])
    @blueprint.doc(**TRIGGER)
    def trigger() -> Response:
        """Trigger a refresh: read the registry and the sources again, and serve what they hold."""
        visit = visit_of(request)
        visit.caller.require("refresh")
        job = refresher.trigger(_asked(visit))
        seconds = _wait_seconds(refresher)
        if seconds and waiting.acquire(blocking=False):
            try:
                job = refresher.wait(job.job_id, seconds)
            finally:
                waiting.release()
        return _triggered(job, refresher)

    @blueprint.route("/refresh", methods=["GET"], tags=["refresh"])
    @blueprint.doc(**job_document("refresh_history", HISTORY, 401, 403))
    def history() -> Response:
        """List the jobs, newest first."""
        visit_of(request).caller.require("refresh")
        jobs = [job_view(job, refresher) for job in refresher.jobs.history()]
        return _json({"jobs": jobs})

    @blueprint.route("/refresh/<job_id>", methods=["GET"], tags=["refresh"])
    @blueprint.doc(**job_document("refresh_job", JOB, 401, 403, 404))
    def one(job_id: str) -> Response:
        """Show one job."""
        visit_of(request).caller.require("refresh")
        return _json(job_view(refresher.jobs.job(job_id), refresher))

    return blueprint


def _asked(visit: Visit) -> Request:
    """Read the body; every part of it is optional, and so is the body."""
    given = json_object()
    try:
        read = RefreshSchema().load(given)
    except ma.ValidationError as error:
        raise _unfit(error) from error
    datasets = tuple(read.get("datasets", ()))
    return Request(
        read.get("source"), datasets, read.get("force", False), visit.caller.key_id or ""
    )


def _unfit(error: ma.ValidationError) -> InvalidBodyError:
    known = sorted(RefreshSchema().fields)
    problems = []
    for name, messages in _messages(error).items():
        message = str(
            next(iter(messages.values()) if isinstance(messages, dict) else iter(messages))
        )
        if name not in known:
            close = nearest(str(name), known)
            message = "unknown member" + (f"; did you mean {close!r}?" if close else "")
        problems.append({"pointer": f"/{name}", "message": message, "allowed": known})
    told = "; ".join(f"{each['pointer']}: {each['message']}" for each in problems)
    return InvalidBodyError(sentence(told), errors=problems)  # fmt: skip


def _messages(error: ma.ValidationError) -> dict[str, Any]:
    given = error.messages
    return given if isinstance(given, dict) else {"": given}


def _wait_seconds(refresher: Refresher) -> float:
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(found[1]), refresher.settings.wait_seconds) if found else 0.0


def _triggered(job: Job, refresher: Refresher) -> Response:
    own = f"/api/v1/data/refresh/{job.job_id}"
    if job.status == "failed" and job.problem is not None:
        raise _failure(job)
    if job.finished:
        return _json(job_view(job, refresher))
    body = {
        "status": "triggered",
        "job_id": job.job_id,
        "estimated_completion": job.estimated_completion,
        "message": "The refresh is on its way; the job tells how far it is.",
        "links": {"job": own, "history": "/api/v1/data/refresh"},
    }
    return _json(body, status=202, headers={"Location": own})


def _failure(job: Job) -> ServiceError:
    """Give a failed job's problem as a refusal of its own kind."""
    members = dict(job.problem or {})
    kinds = {
        kind.slug: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ServiceError) and kind is not ServiceError
    }
    kind = kinds.get(str(members.pop("type")), errors.RefreshError)
    detail = str(members.pop("detail"))
    refusal = kind(detail, job_id=job.job_id)
    refusal.facts.update({k: v for k, v in members.items() if k not in {"title", "status"}})
    return refusal


def _json(
    body: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    told = {"Content-Type": JSON, "Cache-Control": "no-store", **(headers or {})}
    return Response(json_bytes(body), status=status, headers=told)
