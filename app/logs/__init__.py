"""One event, one line of JSON."""

from app.logs.configuring import configure_logs, server_logging
from app.logs.events import hidden, line_of
from app.logs.lines import GatheredLines

__all__ = ["GatheredLines", "configure_logs", "hidden", "line_of", "server_logging"]
