"""A span for each request, sent to a collector. The one module that knows OpenTelemetry.

It needs the extra ``otel``, and is imported by nobody but ``app.service.extras``. A span holds what
the log line of its request holds: no path, no query, no header.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, format_trace_id, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from app import __version__
from app.http import VISIT, Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PROPAGATOR = TraceContextTextMapPropagator()
_CARRIED = {"HTTP_TRACEPARENT": "traceparent", "HTTP_TRACESTATE": "tracestate"}
_METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
_TOLD = {"route": "http.route", "dataset": "assay.dataset", "cache": "assay.cache"}
_FAULT = 500
_SPAN = "assay.span"


class Traced:
    """A WSGI callable with a span around it; all else is set by ``OTEL_…`` in the environment."""

    def __init__(self, front: "WSGIApplication") -> None:
        own = Resource.create({SERVICE_NAME: "assay"})
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._front = front
        self._tracer = provider.get_tracer("assay", __version__)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; the span ends when its body can be sent."""
        carried = {told: environ[name] for name, told in _CARRIED.items() if name in environ}
        span = environ.get(_SPAN)
        if span is None:
            # A request that is begun again goes on with its own.
            context = _PROPAGATOR.extract(carried)
            span = environ[_SPAN] = self._tracer.start_span("", context, SpanKind.SERVER)
        with use_span(span), bound_contextvars(trace_id=_trace_id(span)):
            statuses = []

            def start(status: str, *told: Any) -> Any:  # noqa: ANN401 - handed through as it is
                statuses.append(int(status[:3]))
                return start_response(status, *told)

            body = self._front(environ, start)
            _describe(span, environ, statuses[-1])
        span.end()
        return body


def _describe(span: Span, environ: "WSGIEnvironment", status: int) -> None:
    visit: Visit = environ[VISIT]
    given = environ["REQUEST_METHOD"]
    method = given if given in _METHODS else "_OTHER"
    span.update_name(f"{method} {visit.told.get('route') or ''}".rstrip())
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", status)
    span.set_attribute("assay.request_id", visit.request_id)
    if visit.number is not None:
        span.set_attribute("assay.generation", visit.number)
    for name, attribute in _TOLD.items():
        if visit.told.get(name) is not None:
            span.set_attribute(attribute, str(visit.told[name]))
    if "problem" in visit.told:
        span.set_attribute("error.type", str(visit.told["problem"]))
    if status >= _FAULT:
        span.set_status(StatusCode.ERROR)


def _trace_id(span: Span) -> str:
    return format_trace_id(span.get_span_context().trace_id)
