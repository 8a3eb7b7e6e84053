"""What OpenAPI says of answers: schemas of members, of metadata, of problems, and of operations."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.dataset import FRESHNESS, Dataset
from app.http.problems import PROBLEM_JSON
from app.plugin import Endpoint, Member
from app.query import value_schema

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}

METADATA: Mapping[str, Any] = {
    "type": "object",
    "description": "The lineage of what was answered.",
    "required": ["dataset", "dataset_id", "model_version", "generated_at", "generation"],
    "properties": {
        "dataset": _TEXT,
        "dataset_id": _MAYBE_TEXT,
        "model_version": _MAYBE_TEXT,
        "generated_at": {"type": ["string", "null"]},
        "generation": {"type": "integer"},
        "freshness": {"type": "string", "enum": list(FRESHNESS)},
        "degraded": {"type": "string", "description": "Why the last good table is still served."},
        "model_versions": {"type": "array", "items": _TEXT},
    },
}
PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457); further members are facts of its kind.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
SECURITY: Sequence[Mapping[str, Any]] = ({"bearer": []}, {"key": []})
# What every operation may refuse with, whatever it does.
EVERYWHERE = (411, 414, 429, 431, 500)
REFUSED = {"$ref": "#/components/responses/Refused"}
HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "X-Generation": ("The Generation the answer comes from.", {"type": "integer"}),
    "X-Dataset-Id": ("Lineage of the newest row answered; percent-encoded.", _TEXT),
    "X-Model-Version": ("Lineage of the newest row answered; percent-encoded.", _TEXT),
    "ETag": ("Send it back in If-None-Match to be told 304 while nothing changed.", _TEXT),
}
_DATA_REFUSALS = (400, 401, 404, 406, 410, *EVERYWHERE, 503, 504)
# What a schema can describe; other types are files.
_TREES = {"application/json", "application/yaml"}
_FILE_RESPONSES: Mapping[str, Any] = {
    "206": {"description": "The range of bytes that was asked for."},
    "416": REFUSED,
    "507": REFUSED,
}


def answer_schema(endpoint: Endpoint, dataset: Dataset) -> dict[str, Any]:
    """Give the schema of a body with an endpoint's members, and its metadata."""
    schema = _object(endpoint.returns, dataset)
    if endpoint.document:
        return schema
    schema["properties"]["metadata"] = {"$ref": "#/components/schemas/Metadata"}
    schema["required"].append("metadata")
    return schema


def tells_of(schema: Mapping[str, Any], dataset: Dataset) -> bool:
    """Say whether a schema tells of a dataset's rows or columns; else others have it alike."""
    text = json.dumps(schema)
    named = (f"{json.dumps(column.name)}: " for column in dataset.columns)
    return row_name(dataset) in text or any(name in text for name in named)


def json_content(schema: Mapping[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    """Give the content of a response or a body with that schema."""
    return {"content": {media_type: {"schema": dict(schema)}}}


def data_responses(
    schema: Mapping[str, Any], media: Sequence[str] = ("application/json",)
) -> dict[str, Any]:
    """Give the responses of an operation that answers about data."""
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    return {
        "200": {
            "description": "The answer.",
            "headers": headers,
            "content": {each: {"schema": dict(schema)} if each in _TREES else {} for each in media},
        },
        "304": {"$ref": "#/components/responses/Unchanged"},
        **refusals(*_DATA_REFUSALS),
        **({} if _TREES.issuperset(media) else _FILE_RESPONSES),
    }


def refusals(*statuses: int) -> dict[str, Any]:
    """Give the responses of an operation that may refuse with these statuses."""
    return {str(status): REFUSED for status in statuses}


def refused_response() -> dict[str, Any]:
    """Give the one response that every refusal has."""
    problem = {"$ref": "#/components/schemas/Problem"}
    return {"description": "Refused; the document says why.", **json_content(problem, PROBLEM_JSON)}


def row_name(dataset: Dataset) -> str:
    """Give the name of the schema of a dataset's rows."""
    return f"{dataset.name}.Row"


def row_schema(dataset: Dataset) -> dict[str, Any]:
    """Give the schema of a record with those of a dataset's columns that were asked for."""
    columns = {column.name: _column_schema(column.name, dataset) for column in dataset.columns}
    return {"type": "object", "properties": columns}


def _object(members: Mapping[str, Member], dataset: Dataset) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name, member in members.items() if not member.optional],
        "properties": {name: _schema(member, dataset) for name, member in members.items()},
    }


def _schema(member: Member, dataset: Dataset) -> dict[str, Any]:
    schema = _one(member, dataset)
    if member.many or member.rows:
        schema = {"type": "array", "items": schema}
    if member.named:
        schema = {"type": "object", "additionalProperties": schema}
    return {**schema, "description": member.description} if member.description else schema


def _one(member: Member, dataset: Dataset) -> dict[str, Any]:
    """Give the schema of a member, or of each where there are many."""
    if member.rows:
        return _object({name: Member(column=name) for name in member.rows}, dataset)
    if member.record or member.members:
        row = {"$ref": f"#/components/schemas/{row_name(dataset)}"}
        inner = row if member.record else _object(member.members, dataset)
        return {"anyOf": [inner, {"type": "null"}]} if member.nullable else inner
    if member.column:
        return _column_schema(member.column, dataset)
    return value_schema(member.type, nullable=member.nullable)


def _column_schema(name: str, dataset: Dataset) -> dict[str, Any]:
    column = dataset.column(name)
    if column is None:
        return {}
    certain = column.required or name in (*dataset.keys, *dataset.lineage.columns)
    schema = value_schema(column.type, nullable=not certain or column.nan)
    told = {"description": column.description, "x-unit": column.unit}
    return {**schema, **{key: text for key, text in told.items() if text}}
