"""The OpenAPI document and Swagger UI: offline, under a strict content security policy."""

import mimetypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from app.errors import NotFoundError
from app.formats import JSON, json_bytes
from app.http.visit import cache_control, visit_of
from app.registry import yaml_text

Document = Callable[[], Mapping[str, Any]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_MOST_CHOICES = 16
_ASSETS = (
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    # It brings the choice among several documents.
    "swagger-ui-standalone-preset.js",
    "favicon-32x32.png",
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Assay</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# Without its logo, whose inline style the policy forbids.
_START = """SwaggerUIBundle({
  urls: %s,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  plugins: [() => ({components: {Logo: () => null}})],
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null
});
"""


def docs_blueprint(document: Document, datasets: Sequence[str]) -> Blueprint:
    """Give ``/openapi.json``, ``/openapi.yaml``, one document a dataset, and ``/docs``."""
    blueprint = Blueprint("docs", __name__)
    _add_documents(blueprint, document, datasets)
    _add_pages(blueprint, datasets)
    return blueprint


def _add_documents(blueprint: Blueprint, document: Document, datasets: Sequence[str]) -> None:
    # One for each choice of datasets that callers may know of; mostly there is one such choice.
    few = lru_cache(maxsize=_MOST_CHOICES)
    whole_json = few(lambda told: json_bytes(telling_of(document(), datasets, told)))
    whole_yaml = few(lambda told: yaml_text(telling_of(document(), datasets, told)).encode())
    part = cache(lambda name: json_bytes(of_dataset(document(), name)))

    @blueprint.route("/openapi.json")
    def openapi_json() -> Response:
        told = _readable(datasets)
        return _served(whole_json(told), JSON, told)

    @blueprint.route("/openapi.yaml")
    def openapi_yaml() -> Response:
        told = _readable(datasets)
        return _served(whole_yaml(told), "application/yaml", told)

    @blueprint.route("/api/v1/datasets/<name>/openapi.json")
    def openapi_part(name: str) -> Response:
        if name not in _readable(datasets):
            raise NotFoundError(f"No dataset {name!r}.", dataset=name)
        return _served(part(name), JSON, [name])


def _add_pages(blueprint: Blueprint, datasets: Sequence[str]) -> None:
    @blueprint.route("/docs")
    def page() -> Response:
        return _served(_PAGE.encode(), "text/html; charset=utf-8")

    @blueprint.route("/docs/<asset>")
    def asset(asset: str) -> Response:
        if asset == "start.js":
            told = _readable(datasets)
            return _served(_start(told), "text/javascript; charset=utf-8", told)
        if asset not in _ASSETS:
            raise NotFoundError("Nothing has this address.")
        kind = mimetypes.guess_type(asset)[0] or "application/octet-stream"
        return _served(_swagger_ui().joinpath(asset).read_bytes(), kind)


def _start(told: Sequence[str]) -> bytes:
    # A dataset at a time: the whole document of a large registry takes seconds to show.
    parts = [{"name": n, "url": f"/api/v1/datasets/{n}/openapi.json"} for n in told]
    listed = json_bytes([*parts, {"name": "everything", "url": "/openapi.json"}])
    return (_START % listed.decode()).encode()


def _readable(datasets: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in datasets if visit_of(request.environ).may_read(name))


def telling_of(
    document: Mapping[str, Any], datasets: Sequence[str], told: Sequence[str]
) -> Mapping[str, Any]:
    """Give a document that tells of these datasets only, as if there were no others."""
    hidden = set(datasets) - set(told)
    if not hidden:
        return document
    paths = {
        path: item for path, item in document["paths"].items() if not hidden & set(_tags(item))
    }
    tags = [each for each in document["tags"] if each["name"] not in hidden]
    shown = {**document, "tags": tags, "paths": paths}
    return {**shown, "components": _needed(shown, document["components"])}


def _tags(item: Mapping[str, Any]) -> Iterator[str]:
    for operation in item.values():
        if isinstance(operation, dict):
            yield from operation.get("tags", ())


def of_dataset(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give the part of a document that speaks of one dataset."""
    paths = {path: item for path, item in document["paths"].items() if name in _tags(item)}
    tags = [each for each in document["tags"] if each["name"] == name]
    part = {**document, "tags": tags, "paths": paths}
    return {**part, "components": _needed(part, document["components"])}


def _needed(part: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """Give the components that a document refers to, and those that these refer to."""
    needed: dict[str, Any] = {"securitySchemes": components["securitySchemes"]}
    waiting = list(_references(part["paths"]))
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in needed.setdefault(kind, {}):
            needed[kind][name] = components[kind][name]
            waiting += _references(needed[kind][name])
    return needed


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _references(each)


def _served(content: bytes, kind: str, told: Sequence[str] = ()) -> Response:
    response = Response(content, content_type=kind)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = cache_control(map(visit_of(request.environ).access, told))
    response.headers["Vary"] = "Authorization, X-API-Key"
    response.add_etag()
    response.make_conditional(request)
    return response


def _swagger_ui() -> Traversable:
    return files("flask_swagger_ui") / "dist"
