"""Makes Sources and Datasets of what the schema has checked. Checks nothing itself."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.dataset import Column, Dataset, Freshness, Lineage, Prepare, Rollup, Source

Checked = Mapping[str, Any]

_AS_THEY_ARE = (
    *("source", "title", "description", "owner", "status", "deprecated_since"),
    *("hive_partitioning", "time", "endpoints", "generic", "strict", "access"),
    *("manifest", "on_failure", "max_row_loss"),
)


def sources(checked: Checked, folder: Path) -> dict[str, Source]:
    """Give the sources by name; a relative location starts at ``folder``."""
    return {
        name: Source(name, _absolute(folder, each["location"]), each.get("description", ""))
        for name, each in checked.get("sources", {}).items()
    }


def datasets(checked: Checked) -> dict[str, Dataset]:
    """Give the datasets by name, in the order of the file."""
    return {name: _dataset(name, each) for name, each in checked["datasets"].items()}


def age(checked: Checked | None) -> timedelta | None:
    """Give the length of ``{count, period}``, if there is one."""
    if checked is None or "count" not in checked or "period" not in checked:
        return None
    return timedelta(**{f"{checked['period']}s": checked["count"]})


def _dataset(name: str, checked: Checked) -> Dataset:
    freshness = checked.get("freshness", {})
    return Dataset(
        name,
        path=checked.get("path", ""),
        keys=tuple(checked["keys"]),
        lineage=Lineage(**checked["lineage"]),
        tags=tuple(checked.get("tags", ())),
        columns=tuple(_column(*each) for each in checked.get("columns", {}).items()),
        prepare=_prepare(checked.get("prepare", {})),
        freshness=Freshness(age(freshness.get("warn_after")), age(freshness.get("error_after"))),
        **{"max_age": checked["cache"]["max_age"]} if checked.get("cache") else {},
        **{key: checked[key] for key in _AS_THEY_ARE if key in checked},
    )


def _prepare(checked: Checked) -> Prepare:
    orders, rollups = checked.get("orders", ()), checked.get("rollups", ())
    return Prepare(
        {f"order_{at}": tuple(each) for at, each in enumerate(orders)},
        {
            f"rollup_{at}": Rollup(tuple(each["by"]), tuple(each["measures"]))
            for at, each in enumerate(rollups)
        },
    )


def _column(name: str, checked: Checked) -> Column:
    return Column(name, **{**checked, "enum": tuple(checked.get("enum", ()))})


def _absolute(folder: Path, location: str) -> Path:
    # Links stay as they are: a location may lead through one that is replaced at each delivery.
    return Path(os.path.normpath(folder / location))
