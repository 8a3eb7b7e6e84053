"""Endpoints of plugins as routes: one for each offer, typed by its own dataset's columns."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import request
from flask_smorest import Blueprint

from app.dataset import PUBLIC
from app.discovery import Offer, Plugins
from app.engine import Desk
from app.errors import EndpointError, ServiceError
from app.generation import Generation, KeptGenerations
from app.http.answering import Answering, Body, Made, Question
from app.http.documents import SECURITY, answer_schema, data_responses, tells_of
from app.http.exporting import Exported
from app.http.paging import Paging
from app.http.pairs import query_pairs
from app.http.parameter_documents import documented_path, documented_query
from app.http.parameters import Asked, ParameterTable
from app.http.pinning import Reading, reading
from app.http.reply import Reply
from app.http.sharing import SharedSchemas
from app.http.visit import Environ, visit_of
from app.plugin import COMMON, FORMATS, Call, Document, Endpoint, Export

_PLACE = re.compile(r"{([a-z_]+)}")
# Most are of the first, which is told soonest.
_GIVEN = (dict, Export, Document, Mapping)


@dataclass(frozen=True, slots=True)
class Asking:
    """What every endpoint's route needs to answer."""

    answering: Answering
    plugins: Plugins
    kept: KeptGenerations
    desk: Desk


@dataclass(frozen=True, slots=True)
class Route:
    """The route of one offer, below ``/api/v1``; ``table`` reads its parameters."""

    offer: Offer
    table: ParameterTable
    asking: Asking

    @classmethod
    def of(cls, offer: Offer, asking: Asking) -> "Route":
        """Make the route of an offer."""
        endpoint = offer.endpoint
        parameters = (*endpoint.parameters, *COMMON)
        table = ParameterTable(parameters, offer.path, offer.dataset, filters=endpoint.filters)
        return cls(offer, table, asking)

    @property
    def name(self) -> str:
        """Give the name that Flask has for it."""
        return f"{self._blueprint_name}.{self.offer.endpoint.name}"

    @property
    def _blueprint_name(self) -> str:
        return f"{self.offer.dataset.name}-{self.offer.endpoint.name}"

    def blueprint(self, shared: SharedSchemas) -> Blueprint:
        """Give what has Flask know of it, and the document."""
        offer, table = self.offer, self.table
        blueprint = Blueprint(self._blueprint_name, __name__, url_prefix="/api/v1")
        documented = blueprint.doc(**_document(offer, table, shared))(self._view())
        rule = _PLACE.sub(r"<text:\1>", offer.path)
        told = {"parameters": documented_path(table), "tags": [offer.dataset.name]}
        blueprint.add_url_rule(rule, offer.endpoint.name, documented, **told)
        return blueprint

    def _view(self) -> Callable[..., Reply]:
        def view(**path: str) -> Reply:
            return self.answer(request.environ, path)

        return view

    def answer(self, environ: Environ, path: Mapping[str, str]) -> Reply:
        """Answer a request; ``path`` has the texts in the places of its path.

        Raises:
            ServiceError: whatever the parameters, the plugin or the engine refuse.
        """
        offer, asking, visit = self.offer, self.asking, visit_of(environ)
        asking.desk.stay()
        pairs = query_pairs(environ)
        asked = self.table.read(path, pairs)
        paging = Paging.of(offer.path, asked, asking.answering.key)
        read = reading(offer, visit, asking.kept, paging.generation)
        wide_as_text = asked.values.get("bigint") == "string"
        media = _media(offer.endpoint, asked)

        def make(generation: Generation) -> Made:
            call = _call(read, asked)
            call.place = paging.place(read.generation.number, environ, pairs)
            answered = _answered(offer, asking, call)
            if isinstance(answered, Export):
                return Exported(answered, generation, read.dataset, wide_as_text)
            return answered

        try:
            question = Question(asked.canonical, read.dataset, media, wide_as_text)
            return asking.answering.respond(environ, question, make)
        except TypeError as error:
            # The plugin gave something that has no JSON form.
            raise _failure(offer, asking.plugins, error) from error


def _document(offer: Offer, table: ParameterTable, shared: SharedSchemas) -> dict[str, object]:
    """Give the OpenAPI operation of one offer."""
    endpoint, dataset = offer.endpoint, offer.dataset
    schema = answer_schema(endpoint, dataset)
    of = (dataset.name, endpoint.name)
    asked = documented_query(table, dataset, generic=endpoint.generic)
    owner = dataset.name if tells_of(schema, dataset) else ""
    answer = shared.reference(owner, endpoint.name, schema)
    document = {
        "operationId": f"{endpoint.name}_{dataset.name}",
        "summary": endpoint.summary,
        "description": endpoint.description,
        "tags": [dataset.name],
        "parameters": shared.parameters(*of, asked),
        "responses": data_responses(answer, endpoint.media),
        "security": [] if dataset.access == PUBLIC else SECURITY,
        "deprecated": dataset.status == "deprecated",
    }
    return {key: value for key, value in document.items() if value}


def _call(read: Reading, asked: Asked) -> Call:
    return Call(
        read.dataset,
        asked.values,
        read.others,
        read.run,
        where=asked.where,
        table=read.table,
        history=read.history,
        kept=read.of_kept,
        comparer=read.compare,
        stamper=read.stamp,
    )


def _media(endpoint: Endpoint, asked: Asked) -> tuple[str, ...]:
    """Give the types it can be answered in: one, where the address says which."""
    named = FORMATS.get(str(asked.values.get("format")))
    return (named,) if named in endpoint.media else endpoint.media


def _answered(offer: Offer, asking: Asking, call: Call) -> Body | Export:
    """Have the plugin answer; whatever it raises beside a refusal is its own failure."""
    answer: Callable[[Call], object] = offer.endpoint.answer
    plugins = asking.plugins
    try:
        given = answer(call)
    except ServiceError:
        raise
    except (Exception, SystemExit) as error:
        asking.desk.confirm()
        raise _failure(offer, plugins, error) from error
    asking.desk.confirm()
    if isinstance(given, Export) and (given.format not in FORMATS or given.query.measures):
        raise _failure(offer, plugins, TypeError("an Export of rows in one of FORMATS"))
    if not isinstance(given, _GIVEN):
        raise _failure(offer, plugins, TypeError(type(given).__name__))
    plugins.answered(offer.plugin)
    if isinstance(given, Export):
        return given
    if isinstance(given, Document):
        return Body(given.content)
    return Body(given, call.stamp, call.next)


def _failure(offer: Offer, plugins: Plugins, error: BaseException) -> EndpointError:
    """Remember that a plugin failed, and give the refusal of its call."""
    plugins.stumble(offer.plugin, error)
    return EndpointError(f"The plugin {offer.plugin!r} failed on this call.", plugin=offer.plugin)
