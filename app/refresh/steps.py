"""Decides what a refresh does with each dataset: load it, or keep its Table. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.dataset import Dataset
from app.engine import table_hash
from app.errors import SourceError
from app.refresh.job import Request
from app.refresh.sources import SourceFile, find_files
from app.registry import Registry
from app.table import Table


@dataclass(frozen=True, slots=True)
class Step:
    """What a refresh does with one dataset: load it, unless ``kept`` is what it has already.

    ``wanted`` tells whether somebody wants its data looked at.
    """

    dataset: Dataset
    previous: Table | None
    kept: Table | None
    wanted: bool = True


def decide_steps(
    registry: Registry, previous: Mapping[str, Table], requests: Sequence[Request]
) -> list[Step]:
    """Decide for each served dataset whether its Table stays.

    It does where the declaration asks for the same Table and either nobody wants its data
    looked at, or its files look as they did and nobody forces.
    """
    steps = []
    for dataset in registry.served.values():
        table = previous.get(dataset.name)
        same = table is not None and _same_declaration(dataset, table)
        wanted = [each for each in requests if each.looks_at(dataset.name, dataset.source)]
        forced = any(each.force for each in wanted)
        stays = same and (not wanted or (not forced and _looks_same(registry, dataset, table)))
        steps.append(Step(dataset, table, table if stays else None, bool(wanted)))
    return steps


def _same_declaration(dataset: Dataset, table: Table) -> bool:
    files = [(str(file["path"]), str(file["sha256"])) for file in table.files]
    return table_hash(dataset, files) == table.hash


def _looks_same(registry: Registry, dataset: Dataset, table: Table | None) -> bool:
    if table is None:
        return False
    try:
        seen = find_files(registry.sources[dataset.source], dataset)
    except SourceError:
        # Loading it will meet the same fault, and tell it beside those of other datasets.
        return False
    known = [SourceFile.from_fact(file) for file in table.files]
    published = [file.sha256 for file in seen] if dataset.manifest else []
    same = [_look(file) for file in seen] == [_look(file) for file in known]
    return same and published in ([], [file.sha256 for file in known])


def _look(file: SourceFile) -> tuple[object, ...]:
    return (file.path, file.bytes, file.mtime_ns, file.ctime_ns, file.inode)
