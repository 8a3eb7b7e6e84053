"""Endpoints of plugins as routes: one for each offer, typed by its own dataset's columns."""

import re

import structlog
from flask import Response, request
from flask_smorest import Blueprint

from app.discovery import Offer, Plugins
from app.errors import EndpointError, ServiceError
from app.generation import Generation
from app.http.answering import Answering, Body
from app.http.documents import answer_schema, data_responses
from app.http.parameters import ParameterTable, canonical, query_pairs
from app.plugin import Call

log = structlog.get_logger()

_PLACE = re.compile(r"{([a-z_]+)}")


def endpoint_blueprint(offer: Offer, answering: Answering, plugins: Plugins) -> Blueprint:
    """Give the route of one offer, below ``/api/v1``."""
    endpoint, dataset = offer.endpoint, offer.dataset
    table = ParameterTable(endpoint.parameters, offer.path, dataset)
    name = f"{dataset.name}-{endpoint.name}"
    blueprint = Blueprint(name, __name__, url_prefix="/api/v1")

    def view(**path: str) -> Response:
        values = table.read(path, query_pairs(request.query_string))
        try:
            return answering.respond(
                request,
                dataset,
                canonical(values),
                lambda generation: _answered(offer, plugins, (generation, values)),
            )
        except TypeError as error:
            # The plugin gave something that has no JSON form.
            raise _failure(offer, plugins, error) from error

    documented = blueprint.doc(**_document(offer, table))(view)
    rule = _PLACE.sub(r"<text:\1>", offer.path)
    blueprint.add_url_rule(
        rule, endpoint.name, documented, parameters=table.documented_path(), tags=[dataset.name]
    )
    return blueprint


def _document(offer: Offer, table: ParameterTable) -> dict[str, object]:
    """Give the OpenAPI operation of one offer."""
    endpoint, dataset = offer.endpoint, offer.dataset
    document = {
        "operationId": f"{endpoint.name}_{dataset.name}",
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [dataset.name],
        "parameters": table.documented_query(),
        "responses": data_responses(answer_schema(endpoint.returns, dataset)),
        "deprecated": dataset.status == "deprecated",
    }
    return {key: value for key, value in document.items() if value}


def _answered(offer: Offer, plugins: Plugins, given: tuple[Generation, dict[str, object]]) -> Body:
    """Have the plugin answer; whatever it raises beside a refusal is its own failure."""
    generation, values = given
    others = {option: generation.datasets[name] for option, name in offer.others.items()}
    call = Call(offer.dataset, values, others, generation.run)
    try:
        members = offer.endpoint.answer(call)
    except ServiceError:
        raise
    except (Exception, SystemExit) as error:
        raise _failure(offer, plugins, error) from error
    return Body(members, call.stamp)


def _failure(offer: Offer, plugins: Plugins, error: BaseException) -> EndpointError:
    """Remember that a plugin failed, and give the refusal of its call."""
    plugins.fail(offer.plugin, error)
    return EndpointError(f"The plugin {offer.plugin!r} failed on this call.", plugin=offer.plugin)
