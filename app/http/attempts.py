"""Attempts to refresh as HTTP brings them, for the audit: who calls, and from where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.access import client_address
from app.errors import ServiceError
from app.http.visit import Visit
from app.refresh import Audit, Request

REFRESH = "/api/v1/data/refresh"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Names who calls; ``proxies`` of our own stand before the service."""

    audit: Audit
    proxies: int

    def call(self, environ: Mapping[str, Any], visit: Visit) -> Request:
        """Give a call of that visitor that asks for nothing yet."""
        address = client_address(environ, self.proxies)
        by = visit.caller.key_id or ""
        return Request(by=by, address=address, request_id=visit.request_id)

    def refused(self, environ: Mapping[str, Any], visit: Visit, error: ServiceError) -> None:
        """Have the audit know of a refusal before any view, if a refresh was what was wanted."""
        if environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO") == REFRESH:
            self.audit.refused(self.call(environ, visit), error)
