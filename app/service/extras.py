"""What is an extra of the service: found by its name, so that only who asks for it needs it."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Wrap = Callable[["WSGIApplication"], "WSGIApplication"]


def tracing_of(settings: Settings) -> Wrap | None:
    """Give what puts a span around each request; None where nobody asks for one.

    Raises:
        SettingsError: the extra that it needs is not installed.
    """
    if settings.tracing == "off":
        return None
    try:
        wrap: Wrap = import_module("app.service.tracing").Traced
    except ImportError as error:
        told = "ASSAY_TRACING: otlp needs the extra otel: pip install 'assay-registry[otel]'"
        raise SettingsError(told) from error
    return wrap
