"""What is an extra of the service: found by its name, so that only who asks for it needs it."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Wrap = Callable[["WSGIApplication"], "WSGIApplication"]


def tracing_of(settings: Settings) -> Wrap | None:
    """Give what puts a span around each request; None where nobody asks for one."""
    if settings.tracing == "off":
        return None
    wrap: Wrap = import_module("app.service.tracing").Traced
    return wrap
