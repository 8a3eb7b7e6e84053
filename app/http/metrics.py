"""Figures for Prometheus: read from the Store, so every worker tells those of all of them.

What has a dataset's name is told to those only who may know of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

from flask import Response, request
from flask_smorest import Blueprint
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.generation import Counted, Counts, Generation, used_bytes
from app.http.health import STATES, STATUSES, Health, states_of
from app.http.visit import Visit, visit_of
from app.metrics import BOUNDS, Tally
from app.refresh import Outcome, Refresher

_LIMITS = [*map(str, BOUNDS), "+Inf"]
_NO_ROUTE = "none"
_ANSWERS = ("kept", "made", "revalidated")
_GOOD, _BAD = ("succeeded", "unchanged"), ("failed", "interrupted")
_USES = {
    "spool": "Bytes of exports in the spool.",
    "tables": "Bytes of the tables of all generations that are kept.",
    "free": "Bytes that are free where the state directory is.",
}


@dataclass(frozen=True, slots=True)
class Figures(Collector):
    """All that one answer tells."""

    refresher: Refresher
    health: Health
    counts: Counts
    visit: Visit

    def collect(self) -> Iterator[Metric]:
        """Give the figures that are known; one that is not is left out."""
        counted, current = self.counts.read(), self.visit.current
        yield from _requests(counted.tally, self.visit)
        yield from _workers(counted)
        yield from _refreshes(self.refresher.outcomes())
        health = GaugeMetricFamily("assay_health", "1 for what /health tells.", labels=["status"])
        _mark(health, STATUSES, str(self.health.report(self.visit)["status"]))
        yield health
        if current is not None:
            age = (datetime.now(UTC) - current.committed_at).total_seconds()
            yield GaugeMetricFamily("assay_generation", "The one that is served.", current.number)
            yield GaugeMetricFamily("assay_generation_age_seconds", "How old it is.", age)
            yield from _datasets(current, self.visit)
        for use, size in used_bytes(self.counts.store).items():
            yield GaugeMetricFamily(f"assay_{use}_bytes", _USES[use], size)


def metrics_blueprint(refresher: Refresher, health: Health, counts: Counts) -> Blueprint:
    """Give ``GET /metrics``."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.route("/metrics")
    def metrics() -> Response:
        told = generate_latest(Figures(refresher, health, counts, visit_of(request.environ)))
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return Response(told, headers=headers)

    return blueprint


def _requests(tally: Tally, visit: Visit) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "assay_requests", "Requests.", labels=["method", "route", "dataset", "status"]
    )
    seconds = HistogramMetricFamily(
        "assay_request_seconds", "Until a body could be sent.", labels=["route", "dataset"]
    )
    answers = CounterMetricFamily("assay_answers", "Answers about data.", labels=["outcome"])
    counted = tally.grouped(lambda kind: kind[:4])
    spreads = tally.grouped(lambda kind: (kind.route, kind.dataset))
    outcomes = tally.grouped(lambda kind: kind.cache)
    for (method, route, dataset, status), spread in counted.items():
        if dataset is None or visit.may_read(dataset):
            labels = [method, route or _NO_ROUTE, dataset or "", str(status)]
            requests.add_metric(labels, sum(spread[:-1]))
    for (route, dataset), spread in spreads.items():
        if dataset is None or visit.may_read(dataset):
            buckets = list(zip(_LIMITS, accumulate(spread[:-1]), strict=True))
            seconds.add_metric([route or _NO_ROUTE, dataset or ""], buckets, spread[-1])
    for outcome in _ANSWERS:
        answers.add_metric([outcome], sum(outcomes.get(outcome, ())[:-1]))
    yield from (requests, seconds, answers)


def _workers(counted: Counted) -> Iterator[Metric]:
    yield GaugeMetricFamily("assay_workers", "Workers that live.", counted.workers)
    for state in ("running", "waiting"):
        queries = GaugeMetricFamily(
            f"assay_queries_{state}", f"Queries that are {state}.", labels=["kind"]
        )
        for kind in ("desk", "questions", "small", "exports"):
            queries.add_metric([kind], counted.gauges.get(f"{kind}_{state}", 0))
        yield queries
    kept = counted.gauges.get("kept_bytes", 0)
    yield GaugeMetricFamily("assay_kept_bytes", "Bytes of kept answers, in memory.", kept)


def _refreshes(outcomes: Mapping[str, Outcome]) -> Iterator[Metric]:
    ended = CounterMetricFamily("assay_refreshes", "Refreshes that ended so.", labels=["outcome"])
    for outcome in (*_GOOD, *_BAD):
        ended.add_metric([outcome], outcomes[outcome]["count"] if outcome in outcomes else 0)
    yield ended
    newest = _newest(outcomes, (*_GOOD, *_BAD))
    seconds = None if newest is None else newest["seconds"]
    yield _refresh("last_success_timestamp", "End of the last good one.", _end(outcomes, _GOOD))
    yield _refresh("last_failure_timestamp", "End of the last failed one.", _end(outcomes, _BAD))
    yield _refresh("last_duration", "How long the newest refresh ran.", seconds)


def _datasets(current: Generation, visit: Visit) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "assay_dataset_status", "1 for how fresh it is.", labels=["dataset", "status"]
    )
    newest = GaugeMetricFamily(
        "assay_dataset_newest_timestamp_seconds", "Newest generated_at.", labels=["dataset"]
    )
    rows = GaugeMetricFamily("assay_dataset_rows", "Rows of its table.", labels=["dataset"])
    told = states_of(visit)
    for name in visit.readable(current):
        table = current.tables[name]
        _mark(states, STATES, told[name], name)
        rows.add_metric([name], table.rows)
        if table.newest is not None:
            newest.add_metric([name], table.newest.timestamp())
    yield from (states, newest, rows)


def _mark(family: GaugeMetricFamily, choices: Iterable[str], chosen: str, *labels: str) -> None:
    for each in choices:
        family.add_metric([*labels, each], each == chosen)


def _refresh(name: str, told: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"assay_refresh_{name}_seconds", told, value)


def _newest(outcomes: Mapping[str, Outcome], names: Iterable[str]) -> Outcome | None:
    found = [outcomes[name] for name in names if name in outcomes]
    return max(found, key=lambda each: each["last"] or "", default=None)


def _end(outcomes: Mapping[str, Outcome], names: Iterable[str]) -> float | None:
    newest = _newest(outcomes, names)
    if newest is None or newest["last"] is None:
        return None
    return datetime.fromisoformat(newest["last"]).timestamp()
