"""Plans a refresh: loads what is new aside, checks all of it, and says what would change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.discovery import Clash, Plugins
from app.engine import compare_tables
from app.errors import RegistryError, ServiceError, SourceError, TableError
from app.generation import Manifest, completed_datasets
from app.query import Comparison, Query
from app.refresh.changes import Side, changes_of, shared_names, sides
from app.refresh.job import now
from app.refresh.loads import Loaded, Place, load_steps
from app.refresh.steps import Step
from app.registry import Registry, registry_from_document, with_access_of
from app.table import Finding, Table

Fact = Mapping[str, object]


@dataclass(slots=True)
class Plan:
    """What the next Generation would hold, and what that changes for those who read.

    ``datasets`` tells of each one in the form of a job's record; it is filled as far as
    planning came when something is refused.
    """

    datasets: dict[str, dict[str, object]] = field(default_factory=dict)
    document: Mapping[str, object] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    findings: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    degraded: dict[str, Fact] = field(default_factory=dict)

    @property
    def breaking(self) -> list[str]:
        """Give what a reader would stumble over, with the dataset's name before it."""
        changes = {name: each.get("changes", {}) for name, each in self.datasets.items()}
        return [
            f"{name}: {reason}"
            for name, each in changes.items()
            if isinstance(each, Mapping)
            for reason in each.get("breaking", ())
        ]


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans on one Store: ``latest`` is what is served, ``kept`` the folder of its Tables."""

    registry: Registry
    latest: Manifest | None
    kept: Path
    plugins: Plugins
    place: Place

    def fill(self, plan: Plan, steps: Sequence[Step], progress: Callable[[int], None]) -> None:
        """Load, check and compare; the plan tells how far it came.

        Raises:
            ServiceError: the first refusal, of a dataset or of an endpoint.
        """
        loaded = load_steps(self.registry, steps, self.place, progress)
        refused = [error for each in loaded if (error := self._take(plan, each)) is not None]
        if refused:
            raise refused[0]
        plan.document = self._document(plan)
        self._compare(plan)

    def _take(self, plan: Plan, loaded: Loaded) -> ServiceError | None:
        """Take what came of one step into the plan; give the refusal that stops the refresh."""
        dataset, previous = loaded.step.dataset, loaded.step.previous
        told: dict[str, object] = {"name": dataset.name, "seconds": loaded.seconds}
        plan.datasets[dataset.name] = told
        error = loaded.error or _lost(loaded)
        if error is not None:
            told.update(problems=_problems(error))
            spared = isinstance(error, SourceError | TableError) and previous is not None
            if dataset.on_failure != "keep_last" or not spared or previous is None:
                told.update(outcome="failed")
                return error
            self._keep_last(plan, dataset.name, (previous, error))
            return None
        table = loaded.table
        if table is None:
            raise AssertionError(dataset.name)
        plan.tables[dataset.name] = table
        plan.findings[dataset.name] = self._findings(loaded, table)
        told.update(outcome=_outcome(loaded.step, table), rows=table.rows)
        told.update(problems=list(plan.findings[dataset.name]))
        self._stay_degraded(plan, loaded)
        return None

    def _keep_last(self, plan: Plan, name: str, kept: tuple[Table, ServiceError]) -> None:
        table, error = kept
        before = self._degraded_before(name)
        since = before["since"] if before else now()
        plan.tables[name] = table
        plan.degraded[name] = {"since": since, "reason": error.detail}
        plan.datasets[name].update(outcome="kept_last", rows=table.rows)

    def _stay_degraded(self, plan: Plan, loaded: Loaded) -> None:
        """A dataset that keeps its last good Table does so until it is looked at again."""
        before = self._degraded_before(loaded.step.dataset.name)
        if before and loaded.step.kept is not None and not loaded.step.wanted:
            plan.degraded[loaded.step.dataset.name] = before

    def _degraded_before(self, name: str) -> Fact | None:
        return None if self.latest is None else self.latest.degraded.get(name)

    def _findings(self, loaded: Loaded, table: Table) -> tuple[Fact, ...]:
        """Give the warnings about a Table: its own, and what it lacks beside the last one."""
        name, previous = loaded.step.dataset.name, loaded.step.previous
        if previous is None:
            return table.findings
        if previous.hash == table.hash:
            return self.latest.findings.get(name, ()) if self.latest else ()
        return (*table.findings, *(each.as_fact() for each in _beside(previous, table)))

    def _document(self, plan: Plan) -> Mapping[str, object]:
        """Give the registry's document; what keeps its last Table keeps its declaration too."""
        if not plan.degraded or self.latest is None:
            return self.registry.document
        before, document = self.latest.document, self.registry.document
        before = with_access_of(before, document)
        entries = {name: before["datasets"][name] for name in plan.degraded}
        named = {entry["source"] for entry in entries.values()}
        old = {name: each for name, each in before["sources"].items() if name in named}
        sources = {**old, **document["sources"]}
        return {**document, "sources": sources, "datasets": {**document["datasets"], **entries}}

    def _compare(self, plan: Plan) -> None:
        """Check the endpoints that would be offered, and say what changes."""
        registry = registry_from_document(plan.document, self.registry.folder)
        datasets = completed_datasets(registry, plan.tables)
        offers, clashes = self.plugins.offers(datasets)
        if clashes:
            raise refused_offers(self.registry, clashes)
        after, before = sides(datasets, plan.tables, offers), self._before()
        for name in before.keys() - after.keys():
            plan.datasets[name] = {"name": name, "outcome": "removed"}
        for name, told in plan.datasets.items():
            changes = changes_of(before.get(name), after.get(name))
            changes["by_key"] = self._by_key(before.get(name), after.get(name))
            told["changes"] = changes

    def _before(self) -> dict[str, Side]:
        if self.latest is None:
            return {}
        registry = registry_from_document(self.latest.document, self.latest.folder)
        datasets = completed_datasets(registry, self.latest.tables)
        return sides(datasets, self.latest.tables, self.plugins.offers(datasets)[0])

    def _by_key(self, before: Side | None, after: Side | None) -> dict[str, int] | None:
        """Count rows by key that come, go and differ; None where keys cannot be compared."""
        if before is None or after is None:
            return None
        if before.table.hash == after.table.hash:
            return {"added": 0, "removed": 0, "changed": 0}
        names = shared_names(before, after)
        if names is None:
            return None
        old, new = self._file(before.table), self._file(after.table)
        if old is None or new is None:
            return None
        sides = Query(before.dataset), Query(after.dataset)
        comparison = Comparison(*sides, keys=names[0], columns=names[1], limit=0)
        counted = compare_tables(comparison, (old, new), self.place.limits)
        return None if counted is None else asdict(counted)

    def _file(self, table: Table) -> Path | None:
        name = f"{table.hash}.duckdb"
        places = (folder / name for folder in (self.place.tables, self.kept))
        return next((path for path in places if path.exists()), None)


def refused_offers(registry: Registry, clashes: Sequence[Clash]) -> RegistryError:
    """Give the refusal of endpoints that cannot be offered, each with its place in the file."""
    errors = [registry.diagnostic(_pointer(registry, each), each.message) for each in clashes]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    facts = [error.as_fact() for error in errors]
    return RegistryError(f"{errors[0]}{more}", errors=facts)


def _pointer(registry: Registry, clash: Clash) -> str:
    """Give the place of an endpoint in the registry: in a list it is known by its number."""
    listed = registry.document["datasets"][clash.dataset].get("endpoints")
    among = isinstance(listed, list) and clash.endpoint in listed
    at = listed.index(clash.endpoint) if among else clash.endpoint
    return f"/datasets/{clash.dataset}/endpoints/{at}"


def _lost(loaded: Loaded) -> TableError | None:
    """Refuse a Table that drops more rows than its dataset may lose."""
    step, table = loaded.step, loaded.table
    if table is None or step.previous is None:
        return None
    before, allowed = step.previous.rows, step.dataset.max_row_loss
    lost = before - table.rows
    if lost <= before * allowed:
        return None
    share = f"{lost / before:.1%} of {before:,} rows would go; {allowed:.1%} may"
    finding = Finding("max_row_loss", share, count=lost)
    name = step.dataset.name
    return TableError(f"{name}: {share}.", dataset=name, errors=[finding.as_fact()])


def _beside(previous: Table, table: Table) -> list[Finding]:
    """Warn of what looks wrong only beside the Table that was served."""
    warnings = []
    if previous.newest and table.newest and table.newest < previous.newest:
        message = f"generated_at goes back, from {previous.newest:%F %T} to {table.newest:%F %T}"
        warnings.append(Finding("generated_at", message, severity="warning"))
    if len(previous.dataset_ids) == 1 < len(table.dataset_ids):
        found = table.dataset_ids
        message = f"{len(found)} dataset_ids where one was served"
        warnings.append(
            Finding("dataset_id", message, None, len(found), found[:5], severity="warning")
        )
    gone = sorted(set(previous.model_versions) - set(table.model_versions))
    if gone:
        message = f"{len(gone)} model versions are gone"
        warnings.append(
            Finding("model_version", message, None, len(gone), gone[:5], severity="warning")
        )
    return warnings


def _outcome(step: Step, table: Table) -> str:
    if step.previous is None:
        return "added"
    return "reused" if step.previous.hash == table.hash else "loaded"


def _problems(error: ServiceError) -> list[object]:
    errors = error.facts.get("errors")
    if isinstance(errors, list):
        return errors
    return [{"severity": "error", "rule": error.slug, "message": error.detail}]
