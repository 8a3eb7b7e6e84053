"""What a refresh changes for those who read: columns, rows, versions, endpoints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.dataset import Dataset
from app.discovery import Offer
from app.table import Table


@dataclass(frozen=True, slots=True)
class Side:
    """One dataset as one Generation serves it: what is declared, held, and offered.

    ``endpoints`` gives the path of each endpoint by its name.
    """

    dataset: Dataset
    table: Table
    endpoints: Mapping[str, str]


def sides(
    datasets: Mapping[str, Dataset], tables: Mapping[str, Table], offers: Sequence[Offer]
) -> dict[str, Side]:
    """Give each completed dataset with its Table and the names of its endpoints."""
    return {
        name: Side(
            dataset,
            tables[name],
            {each.endpoint.name: each.path for each in offers if each.dataset.name == name},
        )
        for name, dataset in datasets.items()
    }


def changes_of(before: Side | None, after: Side | None) -> dict[str, object]:
    """Give what changes for one dataset; ``breaking`` lists what a reader would stumble over."""
    old, new = _columns(before), _columns(after)
    retyped = [
        {"name": name, "from": old[name], "to": new[name]}
        for name in old.keys() & new.keys()
        if old[name] != new[name]
    ]
    return {
        "columns": {
            "added": sorted(new.keys() - old.keys()),
            "removed": sorted(old.keys() - new.keys()),
            "retyped": sorted(retyped, key=lambda each: each["name"]),
        },
        "rows": {"before": _rows(before), "after": _rows(after)},
        "model_versions": {"before": _versions(before), "after": _versions(after)},
        "breaking": _breaking(before, after),
    }


def shared_names(before: Side, after: Side) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Give the keys and the other columns by which both can be compared; None where not."""
    old, new = _columns(before), _columns(after)
    keys = after.dataset.keys
    if before.dataset.keys != keys or any(old.get(key) != new.get(key) for key in keys):
        return None
    same = {name for name in old.keys() & new.keys() if old[name] == new[name]}
    return keys, tuple(sorted(same.difference(keys)))


def _columns(side: Side | None) -> dict[str, str]:
    return {} if side is None else {each.name: each.type for each in side.table.columns}


def _rows(side: Side | None) -> int | None:
    return None if side is None else side.table.rows


def _versions(side: Side | None) -> list[str]:
    return [] if side is None else side.table.model_versions


def _breaking(before: Side | None, after: Side | None) -> list[str]:
    if before is None:
        return []
    if after is None:
        return ["the dataset is gone"]
    old, new = _columns(before), _columns(after)
    reasons = [f"column {name!r} is gone" for name in sorted(old.keys() - new.keys())]
    reasons += [
        f"column {name!r} was {old[name]} and is {new[name]}"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]
    if before.dataset.keys != after.dataset.keys:
        reasons.append(f"the keys were {_listed(before)} and are {_listed(after)}")
    return [*reasons, *_rerouted(before.endpoints, after.endpoints)]


def _rerouted(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name, path in sorted(old.items()):
        if name not in new:
            yield f"endpoint {name!r} is no longer offered"
        elif new[name] != path:
            yield f"endpoint {name!r} moved from {path} to {new[name]}"


def _listed(side: Side) -> str:
    return ", ".join(side.dataset.keys)
