"""Builds the Flask app of one shape: routes and documents for what its datasets offer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Response, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from app import __version__
from app.dataset import Dataset
from app.discovery import Offer, Plugins
from app.engine import Desk
from app.errors import InternalError, ServiceError
from app.generation import Counts, KeptGenerations
from app.http.answering import Answering
from app.http.attempts import Attempts
from app.http.catalogue import catalogue_blueprint
from app.http.datapackage import datapackage_blueprint
from app.http.dispatch import App
from app.http.docs import docs_blueprint
from app.http.documents import (
    HEADERS,
    METADATA,
    PROBLEM,
    refused_response,
    row_name,
    row_schema,
)
from app.http.endpoints import Asking, Route
from app.http.guarding import guard
from app.http.health import Health, health_blueprint
from app.http.metrics import metrics_blueprint
from app.http.parameter_documents import filter_parameters, shared_parameters
from app.http.problems import problem_reply, refusal_of
from app.http.refresh import RefreshSchema, refresh_blueprint
from app.http.sharing import SharedSchemas
from app.http.visit import visit_of
from app.plugin import COMMON
from app.refresh import Refresher

log = structlog.get_logger()

_CONFIG = {
    "API_TITLE": "Assay",
    "API_VERSION": __version__,
    "OPENAPI_VERSION": "3.1.1",
    "PROPAGATE_EXCEPTIONS": False,
}
_ABOUT = (
    "Gold tables as a documented API, every answer stamped with its lineage. Everything is "
    "precomputed: nothing here infers, trains or forecasts."
)


class TextConverter(BaseConverter):
    """Any text as one part of a path, slashes and line breaks included."""

    regex = r"(?s:.*?)"
    part_isolating = False


@dataclass(frozen=True, slots=True)
class Services:
    """What outlives every app: made once in a worker, handed to each app it builds."""

    plugins: Plugins
    answering: Answering
    refresher: Refresher
    health: Health
    kept: KeptGenerations
    counts: Counts
    attempts: Attempts
    desk: Desk


class AssayApi(Api):  # type: ignore[misc]
    """flask-smorest, but refusals are problem documents and the document is ours to serve."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_responses(self) -> None:
        """Document the one form of refusal instead of the library's own."""
        self.spec.components.schema("Problem", dict(PROBLEM))
        self.spec.components.schema("Metadata", dict(METADATA))
        self.spec.components.response("Refused", refused_response())
        unchanged = {"description": "Nothing changed since that ETag."}
        self.spec.components.response("Unchanged", unchanged)
        for name, (text, kind) in HEADERS.items():
            self.spec.components.header(name, {"description": text, "schema": kind})
        self.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        self.spec.components.security_scheme("key", key)

    def _register_etag_headers(self) -> None:
        """Leave out the library's own headers."""

    def _register_pagination_header(self) -> None:
        """Leave out the library's own headers."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Turn a refusal of the framework into ours."""
        # Its traceback holds the request: a cycle, which would keep the Generation until collected.
        request.routing_exception = None
        return _refused(refusal_of(error))


def build_app(services: Services, datasets: Mapping[str, Dataset]) -> App:
    """Build the app for these completed datasets; it serves every Generation of their shape."""
    offers, clashes = services.plugins.offers(datasets)
    asking = Asking(services.answering, services.plugins, services.kept, services.desk)
    routes = [Route.of(offer, asking) for offer in offers]
    app = App({route.name: route for route in routes}, services.desk.leave)
    app.config.update(_CONFIG)
    app.url_map.merge_slashes = False
    app.url_map.converters["text"] = TextConverter
    app.register_error_handler(ServiceError, _refused)
    app.register_error_handler(Exception, _failed)
    api = AssayApi(app, spec_kwargs=_spec_kwargs(datasets))
    api.spec.components.schema("Refresh", schema=RefreshSchema)
    shared = SharedSchemas(api.spec.components)
    _share_components(api, shared, (datasets, offers))
    for clash in clashes:
        log.error("endpoint not offered", dataset=clash.dataset, endpoint=clash.endpoint)
    blueprints = [
        *(route.blueprint(shared) for route in routes),
        catalogue_blueprint(services.answering, services.kept, offers),
        datapackage_blueprint(services.answering, services.kept),
        refresh_blueprint(services.refresher, services.attempts),
        health_blueprint(services.health),
    ]
    guard(app, app.owners)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    app.register_blueprint(metrics_blueprint(services.refresher, services.health, services.counts))
    app.register_blueprint(docs_blueprint(lambda: document_of(app), list(datasets)))
    return app


def _share_components(
    api: AssayApi, shared: SharedSchemas, given: tuple[Mapping[str, Dataset], Sequence[Offer]]
) -> None:
    """Put what many operations refer to into the document once."""
    components, (datasets, offers) = api.spec.components, given
    for name, parameter in shared_parameters():
        components.parameter(name, "query", parameter)
    for name, dataset in datasets.items():
        own = [offer for offer in offers if offer.dataset.name == name and offer.endpoint.generic]
        taken = {each.name for offer in own for each in (*offer.endpoint.parameters, *COMMON)}
        for reference, parameter in filter_parameters(dataset, taken):
            components.parameter(reference, "query", parameter)
        components.schema(row_name(dataset), row_schema(dataset))
        names = [column.name for column in dataset.columns]
        shared.reference(name, "Column", {"type": "string", "enum": names})


def document_of(app: App) -> dict[str, Any]:
    """Give the OpenAPI document of an app."""
    spec = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    document: dict[str, Any] = spec.to_dict()
    return document


def _spec_kwargs(datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    tags: Sequence[Mapping[str, str]] = [
        {"name": name, "description": dataset.title or name} for name, dataset in datasets.items()
    ]
    # "RefreshSchema" is the component "Refresh".
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: "Refresh")
    info = {"description": _ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}}
    return {"marshmallow_plugin": plugin, "info": info, "tags": tags}


def _refused(error: ServiceError) -> Response:
    visit = visit_of(request.environ)
    visit.told.update(problem=error.slug)
    return problem_reply(error, visit.request_id).response()


def _failed(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _refused(refusal_of(error))
    log.error("fault", request_id=visit_of(request.environ).request_id, exc_info=error)
    return _refused(InternalError("The service met a fault; the log has it under this id."))
