"""Sets up logging: structlog's events and those of the standard library take one way."""

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import EventDict

from app.logs.events import event_line
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
    logger = _Logger(put)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, event_line],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: logger,
        # Else a logger that was used before would keep the stream and level it had then.
        cache_logger_on_first_use=False,
    )
    handler = _Handler(put)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                event_line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
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


class _Logger:
    """What structlog hands its lines to: a method for each level, and all do the same."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = put
        self.exception = self.msg = put


class _Handler(logging.Handler):
    def __init__(self, put: Callable[[str], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        # BLE001: a record whose text and arguments do not fit must not fail its caller.
        except Exception:  # noqa: BLE001
            facts: EventDict = {"event": "log record not readable", "logger": record.name}
            line = event_line(None, record.levelname.lower(), facts)
        self._put(line)
