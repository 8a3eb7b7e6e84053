"""Jobs as the API shows them, and what OpenAPI says of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.generation import WorkerMark
from app.http.documents import EVERYWHERE, SECURITY, json_content, refusals
from app.http.problems import problem_type
from app.refresh import Job

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
JOB: Mapping[str, Any] = {
    "type": "object",
    "required": ["job_id", "status", "requested_by", "generation", "progress", "datasets"],
    "properties": {
        "job_id": _TEXT,
        "status": {"enum": ["triggered", "running", "succeeded", "unchanged", "failed"]},
        "requested_by": {"type": "array", "items": _TEXT},
        "requested_at": _TEXT,
        "started_at": _MAYBE_TEXT,
        "finished_at": _MAYBE_TEXT,
        "seconds": {"type": ["number", "null"]},
        "generation": {"type": "object"},
        "progress": {"type": "object"},
        "datasets": {"type": "array", "items": {"type": "object"}},
        "problem": {"type": ["object", "null"]},
        "answers_dropped": {"type": "integer"},
        "workers": {"type": "array", "items": {"type": "object"}},
    },
}
HISTORY = {"type": "object", "properties": {"jobs": {"type": "array", "items": JOB}}}
_ACCEPTED = {
    "type": "object",
    "required": ["status", "job_id", "estimated_completion", "message", "links"],
    "properties": {
        "status": {"const": "triggered"},
        "job_id": _TEXT,
        "estimated_completion": _TEXT,
        "message": _TEXT,
        "links": {"type": "object", "additionalProperties": _TEXT},
    },
}
_PLAN = {
    "type": "object",
    "required": ["changes", "breaking", "problems"],
    "properties": {
        "changes": {"type": "array", "items": {"type": "object"}},
        "breaking": {"type": "array", "items": _TEXT},
        "problems": {"type": "array", "items": {"type": "object"}},
    },
}
_DONE = {"anyOf": [JOB, _PLAN]}
TRIGGER: Mapping[str, Any] = {
    "operationId": "refresh",
    "security": SECURITY,
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "description": "`wait=30` waits so many seconds for the job to finish.",
            "schema": _TEXT,
        }
    ],
    "requestBody": {
        "required": False,
        **json_content({"$ref": "#/components/schemas/Refresh"}),
    },
    "responses": {
        "200": {"description": "The job, done; or of a dry run the plan.", **json_content(_DONE)},
        "202": {"description": "The job is on its way.", **json_content(_ACCEPTED)},
        **refusals(400, 401, 403, 405, 408, 409, 410, 413, 415, 422, *EVERYWHERE, 503, 507),
    },
}


def job_view(job: Job, marks: Sequence[WorkerMark]) -> dict[str, object]:
    """Give a job's record as the API shows it, with what its workers say of themselves."""
    committed = job.generation["to"] if job.status == "succeeded" else None
    dropped = sum(mark["dropped"] for mark in marks if mark["generation"] == committed)
    return {
        "job_id": job.job_id,
        "status": job.status,
        "requested_by": [each.by for each in job.requests],
        "requested_at": job.requested_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": job.seconds,
        "generation": job.generation,
        "progress": job.progress,
        "datasets": job.datasets,
        "problem": None if job.problem is None else _problem_members(job.problem),
        "answers_dropped": dropped,
        "workers": [{"id": mark["id"], "generation": mark["generation"]} for mark in marks],
    }


def job_document(operation: str, schema: Mapping[str, Any], *statuses: int) -> dict[str, Any]:
    """Document an operation that gives the record of a job, or of several."""
    return {
        "operationId": operation,
        "security": SECURITY,
        "responses": {
            "200": {"description": "The record.", **json_content(schema)},
            **refusals(400, *statuses, 405, *EVERYWHERE),
        },
    }


def _problem_members(problem: Mapping[str, object]) -> dict[str, object]:
    return {**problem, "type": problem_type(str(problem["type"]))}
