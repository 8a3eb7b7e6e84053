"""From a question to a response: identity, 304, kept Answer or a new one, lineage and headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from urllib.parse import quote

from flask import Request, Response

from app.answers import Answer, Identity, Keeper
from app.dataset import Dataset
from app.errors import NotAcceptableError
from app.formats import JSON, json_bytes
from app.generation import Generation
from app.http.visit import visit_of
from app.query import Stamp


@dataclass(frozen=True, slots=True)
class Body:
    """What a view found out: the members of a body, and the lineage of what is in it."""

    members: Mapping[str, object]
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """Turns bodies into responses, each made once; ``key`` is the Store's, for ETags."""

    keeper: Keeper
    key: bytes

    def respond(
        self,
        request: Request,
        dataset: Dataset | None,
        query: str,
        make: Callable[[Generation], Body],
    ) -> Response:
        """Answer a request whose parameters are checked; ``query`` is their canonical text.

        Raises:
            NotAcceptableError: the client takes no JSON.
        """
        visit = visit_of(request)
        generation = visit.generation
        if request.accept_mimetypes and not request.accept_mimetypes.quality(JSON):
            raise NotAcceptableError("This is answered as application/json.", allowed=[JSON])
        identity = Identity(generation.number, request.path, query, _freshness(generation, dataset))
        etag = identity.etag(self.key)
        constant = _constant_headers(dataset, etag)
        known = request.if_none_match
        if not known.star_tag and known.contains_weak(etag.removeprefix("W/").strip('"')):
            kept = self.keeper.kept(identity)
            about = {} if dataset is None else {"dataset": dataset.name}
            visit.told.update({**about, **(kept.told if kept else {}), "cache": "revalidated"})
            return Response(status=304, headers=constant)
        seconds = dataset.max_age if dataset is not None else _CATALOGUE_SECONDS
        answer, outcome = self.keeper.answer(
            identity, seconds, lambda: _answer(make(generation), generation, dataset)
        )
        visit.told.update(answer.told, cache=outcome)
        if known.star_tag:
            # "*" stands for any answer there is, so one had to be made first.
            return Response(status=304, headers=constant)
        return Response(answer.body, headers={**constant, **answer.headers})


_CATALOGUE_SECONDS = 60


def metadata(generation: Generation, dataset: Dataset, stamp: Stamp) -> dict[str, object]:
    """Give the ``metadata`` of an answer about a dataset."""
    told: dict[str, object] = {
        "dataset": dataset.name,
        "dataset_id": stamp.dataset_id,
        "model_version": stamp.model_version,
        "generated_at": stamp.generated_at,
        "generation": generation.number,
        "freshness": generation.freshness(dataset.name),
    }
    if dataset.name in generation.degraded:
        told["degraded"] = generation.degraded[dataset.name]["reason"]
    if len(stamp.model_versions) > 1:
        told["model_versions"] = stamp.model_versions
    return told


def _answer(body: Body, generation: Generation, dataset: Dataset | None) -> Answer:
    if dataset is None or body.stamp is None:
        about = {} if dataset is None else {"dataset": dataset.name}
        return Answer(json_bytes(body.members), {"Content-Type": JSON}, about)
    stamp = body.stamp
    content = json_bytes({**body.members, "metadata": metadata(generation, dataset, stamp)})
    headers = {"Content-Type": JSON}
    for name, value in _lineage_headers(stamp).items():
        headers[name] = quote(value, safe="")
    told = {
        "dataset": dataset.name,
        "dataset_id": stamp.dataset_id,
        "model_version": stamp.model_version,
    }
    return Answer(content, headers, told)


def _lineage_headers(stamp: Stamp) -> dict[str, str]:
    headers = {"X-Dataset-Id": stamp.dataset_id, "X-Model-Version": stamp.model_version}
    return {name: value for name, value in headers.items() if value is not None}


def _constant_headers(dataset: Dataset | None, etag: str) -> dict[str, str]:
    """Give the headers that a 200 and a 304 share."""
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Vary": "Accept",
    }
    if dataset is not None and dataset.deprecated_since is not None:
        since = datetime.combine(dataset.deprecated_since, time(), UTC)
        headers["Deprecation"] = f"@{int(since.timestamp())}"
    return headers


def _freshness(generation: Generation, dataset: Dataset | None) -> str:
    if dataset is not None:
        return generation.freshness(dataset.name)
    return ",".join(generation.freshness(name) for name in generation.datasets)
