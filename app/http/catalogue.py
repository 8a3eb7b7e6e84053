"""The catalogue: which datasets there are, what their columns hold, where they come from."""

from collections.abc import Mapping, Sequence

from flask import request
from flask_smorest import Blueprint

from app.dataset import Dataset
from app.discovery import Offer
from app.errors import NotFoundError
from app.generation import Generation, KeptGenerations
from app.http.answering import Answering, Body, Question
from app.http.documents import data_responses
from app.http.pairs import query_pairs
from app.http.parameters import ParameterTable
from app.http.pinning import pin
from app.http.reply import Reply
from app.http.stamping import metadata
from app.http.visit import visit_of
from app.plugin import COMMON
from app.query import Stamp
from app.registry import nearest
from app.table import Table

_PARAMETERS = ParameterTable(COMMON[:1])
PINNED = ["generation"]
_FILE = ("path", "sha256", "bytes")
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_ENTRY = {
    "type": "object",
    "required": ["name", "title", "tags", "status", "keys", "rows", "freshness", "metadata"],
    "properties": {
        "name": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "tags": _TEXTS,
        "status": _TEXT,
        "keys": _TEXTS,
        "time": {"type": ["string", "null"]},
        "rows": {"type": "integer"},
        "freshness": _TEXT,
        "degraded": {"type": ["object", "null"]},
        "metadata": {"$ref": "#/components/schemas/Metadata"},
        "links": {"type": "object", "additionalProperties": _TEXT},
    },
}  # fmt: skip
_DETAIL = {
    **_ENTRY,
    "properties": {
        **_ENTRY["properties"],  # type: ignore[dict-item]
        "consistency": {"enum": ["verified", "one file", "best-effort"]},
        "problems": {"type": "array", "items": {"type": "object"}},
        "owner": {"type": "object", "additionalProperties": _TEXT},
        "columns": {"type": "array", "items": {"type": "object"}},
        "files": {"type": "array", "items": {"type": "object"}},
        "endpoints": {"type": "array", "items": {"type": "object"}},
    },
}


def catalogue_blueprint(
    answering: Answering, kept: KeptGenerations, offers: Sequence[Offer]
) -> Blueprint:
    """Give ``GET /datasets`` and ``GET /datasets/{name}``."""
    blueprint = Blueprint("catalogue", __name__, url_prefix="/api/v1")
    listed = {"type": "object", "properties": {"datasets": {"type": "array", "items": _ENTRY}}}

    @blueprint.route("/datasets", tags=["catalogue"])
    @blueprint.doc(operationId="datasets", parameters=PINNED, responses=data_responses(listed))
    def datasets() -> Reply:
        """List the datasets."""
        return answering.respond(request.environ, asked_of(kept), lambda g: _listed(g, offers))

    @blueprint.route("/datasets/<name>", tags=["catalogue"])
    @blueprint.doc(operationId="dataset", parameters=PINNED, responses=data_responses(_DETAIL))
    def dataset(name: str) -> Reply:
        """Describe one dataset: columns, files, endpoints."""

        def make(generation: Generation) -> Body:
            return Body(_detail(generation, _dataset(generation, name), offers))

        return answering.respond(request.environ, asked_of(kept), make)

    return blueprint


def asked_of(kept: KeptGenerations) -> Question:
    """Give the question of a request about datasets, its visit pinned as it says."""
    asked = _PARAMETERS.read({}, query_pairs(request.environ))
    pin(visit_of(request.environ), kept, asked.number("generation"))
    return Question(asked.canonical)


def _dataset(generation: Generation, name: str) -> Dataset:
    readable = visit_of(request.environ).readable(generation)
    dataset = readable.get(name)
    if dataset is None:
        close = nearest(name, list(readable))
        hint = f" Did you mean {close!r}?" if close else ""
        raise NotFoundError(f"No dataset {name!r}.{hint}", dataset=name)
    return dataset


def _listed(generation: Generation, offers: Sequence[Offer]) -> Body:
    datasets = visit_of(request.environ).readable(generation).values()
    return Body({"datasets": [_entry(generation, dataset, offers) for dataset in datasets]})


def _entry(generation: Generation, dataset: Dataset, offers: Sequence[Offer]) -> dict[str, object]:
    table = generation.tables[dataset.name]
    own = f"/api/v1/datasets/{dataset.name}"
    links = {each.endpoint.name: f"/api/v1{each.path}" for each in _own(dataset, offers)}
    freshness, _ = generation.freshness(dataset.name)
    return {
        "name": dataset.name,
        "title": dataset.title or dataset.name,
        "description": dataset.description,
        "tags": dataset.tags,
        "status": dataset.status,
        "keys": dataset.keys,
        "time": dataset.time,
        "rows": table.rows,
        "freshness": freshness,
        "degraded": generation.degraded.get(dataset.name),
        "metadata": metadata(generation, dataset, Stamp.of_versions(table.versions), freshness),
        "links": {"self": own, "openapi": f"{own}/openapi.json", **links},
    }


def _detail(generation: Generation, dataset: Dataset, offers: Sequence[Offer]) -> dict[str, object]:
    table = generation.tables[dataset.name]
    return {
        **_entry(generation, dataset, offers),
        "owner": dict(dataset.owner),
        "consistency": _consistency(dataset, table),
        "problems": generation.findings.get(dataset.name, ()),
        "columns": [_column(dataset, each.name, table) for each in table.columns],
        "files": [{name: each[name] for name in _FILE} for each in table.files],
        "endpoints": [
            {"name": e.endpoint.name, "path": f"/api/v1{e.path}", "summary": e.endpoint.summary}
            for e in _own(dataset, offers)
        ],
    }  # fmt: skip


def _column(dataset: Dataset, name: str, table: Table) -> Mapping[str, object]:
    held = next(each for each in table.columns if each.name == name)
    declared = dataset.column(name)
    return {
        "name": name,
        "type": held.type,
        "nulls": held.nulls,
        "min": held.min,
        "max": held.max,
        "distinct": held.distinct,
        "description": declared.description if declared else "",
        "unit": declared.unit if declared else "",
    }


def _consistency(dataset: Dataset, table: Table) -> str:
    """Say how sure it is that the files of a Table belong together."""
    if dataset.manifest is not None:
        return "verified"
    return "one file" if len(table.files) == 1 else "best-effort"


def _own(dataset: Dataset, offers: Sequence[Offer]) -> list[Offer]:
    return [offer for offer in offers if offer.dataset.name == dataset.name]
