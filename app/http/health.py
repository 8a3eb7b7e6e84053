"""Health: what works, what is late, what is wrong, and that no machine learning is deployed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Response, request
from flask_smorest import Blueprint

from app.answers import Keeper
from app.discovery import Plugins
from app.errors import RegistryError
from app.formats import JSON, json_bytes
from app.generation import Generation
from app.http.documents import EVERYWHERE, json_content, refusals
from app.http.visit import Visit, visit_of
from app.policy import Policy, check_environment
from app.refresh import Refresher
from app.registry import read_registry

STATUSES = ("healthy", "degraded", "unhealthy")
STATES = ("fresh", "warn", "error", "degraded")
_TEXT = {"type": "string"}
_SCHEMA = {
    "type": "object",
    "required": ["status", "database", "parquet_access", "cache", "ml_dependencies", "timestamp"],
    "properties": {
        "status": {"enum": list(STATUSES)},
        "database": _TEXT,
        "parquet_access": _TEXT,
        "cache": _TEXT,
        "registry": _TEXT,
        "ml_dependencies": {"type": "object"},
        "generation": {"type": ["object", "null"]},
        "datasets": {"type": "object", "additionalProperties": _TEXT},
        "plugins": {"type": "object"},
        "timestamp": _TEXT,
    },
}


@dataclass(slots=True)
class Health:
    """Looks at the service; cheap enough to be asked every second."""

    plugins: Plugins
    refresher: Refresher
    keeper: Keeper
    policy: Policy = field(default_factory=check_environment)
    _registry_seen: object = None
    _registry: str = "ok"

    def report(self, visit: Visit) -> dict[str, object]:
        """Give the document of ``GET /health``, as that visitor may know it."""
        generation, states = visit.current, states_of(visit)
        report: dict[str, object] = {
            "status": "",
            "database": _database(generation),
            "parquet_access": "ok" if self._sources_reachable(generation) else "unreachable",
            "cache": "ok" if self.keeper.works() else "unreachable",
            "registry": self._registry_state(),
            "ml_dependencies": self._policy(),
            "generation": None if generation is None else self._generation(generation),
            "datasets": states,
            "plugins": {"failed": [{"plugin": n, "reason": r} for n, r in self._failures()]},
            "timestamp": _now(),
        }
        wrong = any(self._degraded(report)) or any(each != "fresh" for each in states.values())
        report["status"] = "unhealthy" if generation is None else "degraded" if wrong else "healthy"
        return report

    def _failures(self) -> list[tuple[str, str]]:
        return sorted(self.plugins.troubles.items())

    def _degraded(self, report: dict[str, object]) -> Iterator[bool]:
        yield report["database"] != "connected"
        yield report["parquet_access"] != "ok"
        yield report["cache"] != "ok"
        yield report["registry"] != "ok"
        yield self.policy.status != "compliant"
        yield bool(self.plugins.troubles)

    def _sources_reachable(self, generation: Generation | None) -> bool:
        sources = () if generation is None else generation.registry.sources.values()
        return all(os.access(source.location, os.R_OK | os.X_OK) for source in sources)

    def _registry_state(self) -> str:
        """Tell whether the registry file can be read as it is now; read anew when it changed."""
        path = self.refresher.settings.registry
        try:
            stat = path.stat()
            seen: object = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError as error:
            seen = error.errno
        if seen != self._registry_seen:
            try:
                read_registry(path)
                self._registry = "ok"
            except RegistryError as error:
                self._registry = f"broken: {error.detail}"
            self._registry_seen = seen
        return self._registry

    def _policy(self) -> dict[str, object]:
        return {
            "status": self.policy.status,
            "message": self.policy.message,
            "checked_packages": list(self.policy.checked_packages),
            "violations": list(self.policy.violations),
        }

    def _generation(self, generation: Generation) -> dict[str, object]:
        age = datetime.now(UTC) - generation.committed_at
        last = self.refresher.jobs.last_finished()
        return {
            "number": generation.number,
            "age_seconds": round(age.total_seconds(), 1),
            "last_refresh": None
            if last is None
            else {"status": last.status, "finished_at": last.finished_at},
        }


def health_blueprint(health: Health) -> Blueprint:
    """Give ``/health``, ``/health/live`` and ``/health/ready``."""
    blueprint = Blueprint("health", __name__)

    def respond(status: int, body: dict[str, object]) -> Response:
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        return Response(json_bytes(body), status=status, headers=headers)

    @blueprint.route("/health", tags=["health"])
    @blueprint.doc(**_document("health"))
    def report() -> Response:
        """Tell what works and what does not."""
        visit = visit_of(request.environ)
        return respond(503 if visit.current is None else 200, health.report(visit))

    @blueprint.route("/health/live", tags=["health"])
    @blueprint.doc(**_document("live"))
    def live() -> Response:
        """Tell that the process answers; looks at nothing else."""
        return respond(200, {"status": "live"})

    @blueprint.route("/health/ready", tags=["health"])
    @blueprint.doc(**_document("ready"))
    def ready() -> Response:
        """Tell whether a Generation can be served."""
        current = visit_of(request.environ).current
        body: dict[str, object] = {"status": "not ready" if current is None else "ready"}
        return respond(503 if current is None else 200, body)

    return blueprint


def _document(operation: str) -> dict[str, object]:
    content = json_content(_SCHEMA if operation == "health" else {"type": "object"})
    return {
        "operationId": operation,
        "responses": {
            "200": {"description": "Can be used.", **content},
            "503": {"description": "Nothing can be served.", **content},
            **refusals(400, 401, 405, *EVERYWHERE),
        },
    }


def _database(generation: Generation | None) -> str:
    if generation is None:
        return "no generation"
    return "connected" if generation.engine.answers() else "unreachable"


def states_of(visit: Visit) -> dict[str, str]:
    """Give how fresh each dataset that may be read is, or ``degraded``: of an older table."""
    generation = visit.current
    if generation is None:
        return {}
    return {
        name: "degraded" if name in generation.degraded else generation.freshness(name)[0]
        for name in generation.datasets
        if visit.may_read(name)
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
