"""Sets up logging: structlog's events and those of the standard library take one way."""

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog

from app.logs.events import Facts, event_of
from app.logs.lines import Lines

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_SERVER_LOGGERS = ("_granian", "granian.access")


def configure_logs(level: str, stream: TextIO | None = None, lines: type[Lines] = Lines) -> None:
    """Write every event of at least ``level`` to ``stream``, by default standard error.

    ``lines`` says how. Events of the standard library's loggers take the same way.

    Raises:
        KeyError: there is no such level; there are debug, info, warning and error.
    """
    put = lines(stream or sys.stderr).put
    filtering = structlog.make_filtering_bound_logger(_LEVELS[level])
    structlog.configure(
        wrapper_class=type("Events", (_Events, filtering), {}),
        logger_factory=lambda *_: put,
        # Else a logger that was used before would keep the stream and level it had then.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler(put)]
    root.setLevel(_LEVELS[level])
    for name in _SERVER_LOGGERS:
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True


def server_logging() -> dict[str, object]:
    """Give what the HTTP server is handed, so that its lines take the way of all others."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "handlers": {},
        "loggers": {name: {"handlers": [], "propagate": True} for name in _SERVER_LOGGERS},
    }


class _Events(structlog.BoundLoggerBase):
    """Hands an event on as it is: each request has one, and a chain of processors takes longer."""

    def _proxy_to_logger(self, method_name: str, event: str | None = None, **facts: Any) -> None:  # noqa: ANN401 - as structlog has it
        facts = {**self._context, **structlog.contextvars.get_contextvars(), **facts}
        self._logger(event_of(method_name, event, facts))


class _Handler(logging.Handler):
    def __init__(self, put: Callable[[Facts], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
        # BLE001: a record whose text and arguments do not fit must not fail its caller.
        except Exception:  # noqa: BLE001
            event = "log record not readable"
        facts = {"logger": record.name, "exc_info": record.exc_info}
        self._put(event_of(record.levelname.lower(), event, facts))
