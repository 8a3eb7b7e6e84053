"""All datasets as one Data Package of Frictionless: what their CSV exports hold, for readers."""

from flask import request
from flask_smorest import Blueprint

from app.dataset import Column, Dataset
from app.generation import Generation, KeptGenerations
from app.http.answering import Answering, Body
from app.http.catalogue import PINNED, asked_of
from app.http.documents import data_responses
from app.http.reply import Reply
from app.http.visit import Visit, visit_of

_PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_FIELDS = {
    **{name: {"type": name} for name in ("string", "integer", "number", "boolean")},
    **{name: {"type": name} for name in ("date", "time", "duration")},
    "decimal": {"type": "number"},
    "timestamp": {"type": "datetime"},
    "binary": {"type": "string", "format": "binary"},
    "json": {"type": "any"},
    "list": {"type": "array"},
    "struct": {"type": "object"},
    "map": {"type": "array"},
}
_BOUNDED = ("integer", "number", "decimal", "date", "time", "timestamp")
_TEXT = {"type": "string"}
_DOCUMENT = {
    "type": "object",
    "required": ["$schema", "name", "version", "created", "resources"],
    "properties": {
        "$schema": _TEXT,
        "name": _TEXT,
        "version": {"type": "string", "description": "The number of the Generation."},
        "created": {"type": "string", "format": "date-time"},
        "resources": {"type": "array", "items": {"type": "object"}},
    },
}


def datapackage_blueprint(answering: Answering, kept: KeptGenerations) -> Blueprint:
    """Give ``GET /datapackage.json``."""
    blueprint = Blueprint("datapackage", __name__, url_prefix="/api/v1")

    @blueprint.route("/datapackage.json", tags=["catalogue"])
    @blueprint.doc(
        operationId="datapackage", parameters=PINNED, responses=data_responses(_DOCUMENT)
    )
    def datapackage() -> Reply:
        """Describe all datasets as a Data Package."""
        return answering.respond(
            request.environ,
            asked_of(kept),
            lambda g: Body(package_of(g, visit_of(request.environ))),
        )

    return blueprint


def package_of(generation: Generation, visit: Visit) -> dict[str, object]:
    """Describe the datasets of a Generation that have an export now; paths are relative to it."""
    exported = (each for each in visit.readable(generation).values() if each.generic)
    pinned = "" if generation is visit.today else f"?generation={generation.number}"
    return {
        "$schema": _PROFILE,
        "name": "assay",
        "version": str(generation.number),
        "created": generation.committed_at,
        "resources": [_resource(dataset, pinned) for dataset in exported],
    }


def _resource(dataset: Dataset, pinned: str) -> dict[str, object]:
    told = {"title": dataset.title, "description": dataset.description}
    return {
        "name": dataset.name,
        "type": "table",
        "path": f"datasets/{dataset.name}/rows.csv{pinned}",
        **{name: text for name, text in told.items() if text},
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "fields": [_field(dataset, column) for column in dataset.columns],
            "primaryKey": dataset.keys,
            "missingValues": [""],
        },
    }


def _field(dataset: Dataset, column: Column) -> dict[str, object]:
    certain = (*dataset.keys, *dataset.lineage.columns)
    constraints: dict[str, object] = {}
    # An empty text is read as missing, which it need not be.
    if column.type != "string" and (column.required or column.name in certain):
        constraints["required"] = True
    if column.unique:
        constraints["unique"] = True
    if column.enum:
        constraints["enum"] = [str(value) for value in column.enum]
    if column.type in _BOUNDED:
        bounds = {"minimum": column.minimum, "maximum": column.maximum}
        constraints.update(
            {name: str(value) for name, value in bounds.items() if value is not None}
        )
    field: dict[str, object] = {"name": column.name, **_FIELDS[column.type]}
    if column.description:
        field["description"] = column.description
    return {**field, "constraints": constraints} if constraints else field
