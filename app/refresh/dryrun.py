"""A dry run: what a refresh would change, on Tables loaded aside. Leaves nothing behind."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from app.errors import BusyError, ServiceError
from app.generation import Store, completed_datasets
from app.refresh.job import Request
from app.refresh.loads import Place, load_steps
from app.refresh.plan import Plan, Planner, refused_offers
from app.refresh.steps import Step, decide_steps
from app.refresh.tools import Tools
from app.registry import Registry, read_registry
from app.table import Table


def dry_run(store: Store, tools: Tools, request: Request) -> dict[str, object]:
    """Plan a refresh and give ``changes`` by dataset, what is ``breaking``, and ``problems``.

    Raises:
        ServiceError: the refresh would be refused.
        BusyError: another dry run is at work.
    """
    with store.lock("plan", wait=False) as free:
        if not free:
            raise BusyError("Another dry run is at work; try again in a moment.")
        registry = read_registry(tools.registry_file)
        latest = store.latest()
        steps = decide_steps(registry, latest.tables if latest else {}, (request,))
        plan = Plan()
        with tempfile.TemporaryDirectory(prefix="aside-", dir=store.aside) as folder:
            place = Place(Path(folder) / "staging", Path(folder), tools.limits)
            planner = Planner(registry, latest, store.tables, tools.plugins, place)
            planner.fill(plan, steps, lambda _: None)
    return _report(plan)


def check_data(registry: Registry, tools: Tools) -> list[ServiceError]:
    """Load every served dataset aside and check its endpoints; give what would be refused.

    It needs no Store and makes none.
    """
    steps = [Step(dataset, None, None) for dataset in registry.served.values()]
    with tempfile.TemporaryDirectory(prefix="assay-check-") as folder:
        limits = replace(tools.limits, spill=Path(folder) / "spill")
        place = Place(Path(folder) / "staging", Path(folder), limits)
        loaded = load_steps(registry, steps, place, lambda _: None)
    errors = [each.error for each in loaded if each.error is not None]
    tables: Mapping[str, Table] = {
        each.step.dataset.name: each.table for each in loaded if each.table is not None
    }
    _, clashes = tools.plugins.offers(completed_datasets(registry, tables))
    return [*errors, *([refused_offers(registry, clashes)] if clashes and not errors else [])]


def _report(plan: Plan) -> dict[str, object]:
    told: Sequence[Mapping[str, object]] = list(plan.datasets.values())
    return {
        "changes": [{**_mapping(each["changes"]), **_named(each)} for each in told],
        "breaking": plan.breaking,
        "problems": [
            {"dataset": each["name"], **_mapping(problem)}
            for each in told
            for problem in _sequence(each.get("problems"))
        ],
    }


def _named(told: Mapping[str, object]) -> dict[str, object]:
    return {"name": told["name"], "outcome": told["outcome"]}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) else ()
