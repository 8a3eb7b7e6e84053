"""Figures of the refresh for Prometheus: read from the Store, so every worker tells the same."""

from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Response, request
from flask_smorest import Blueprint
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.generation import Generation
from app.http.visit import visit_of
from app.refresh import Job, Refresher

_GOOD = ("succeeded", "unchanged")


class RefreshCollector(Collector):
    """What the book of jobs and the pinned Generation say, at one moment."""

    def __init__(self, jobs: list[Job], generation: Generation | None) -> None:
        self._jobs = [job for job in jobs if job.finished]
        self._generation = generation

    def collect(self) -> Iterator[Metric]:
        """Give the figures that are known; one that is not is left out."""
        good = next((job for job in self._jobs if job.status in _GOOD), None)
        failed = next((job for job in self._jobs if job.status == "failed"), None)
        yield _gauge("last_success_timestamp_seconds", "End of the last good refresh.", _end(good))
        yield _gauge("last_failure_timestamp_seconds", "End of the last failed one.", _end(failed))
        newest = self._jobs[0] if self._jobs else None
        seconds = None if newest is None else newest.seconds
        yield _gauge("last_duration_seconds", "How long the newest refresh ran.", seconds)
        if self._generation is not None:
            number, made = self._generation.number, self._generation.committed_at
            age = (datetime.now(UTC) - made).total_seconds()
            yield GaugeMetricFamily("assay_generation", "The Generation that is served.", number)
            yield GaugeMetricFamily("assay_generation_age_seconds", "How old it is.", age)


def metrics_blueprint(refresher: Refresher) -> Blueprint:
    """Give ``GET /metrics``."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.route("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        current = visit_of(request).current
        registry.register(RefreshCollector(refresher.jobs.history(), current))
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return Response(generate_latest(registry), headers=headers)

    return blueprint


def _gauge(name: str, told: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"assay_refresh_{name}", told, value)


def _end(job: Job | None) -> float | None:
    if job is None or job.finished_at is None:
        return None
    return datetime.fromisoformat(job.finished_at).timestamp()
