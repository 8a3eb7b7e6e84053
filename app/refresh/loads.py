"""Loads the datasets of a refresh, several side by side, each from copies of its own."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from app.dataset import Dataset
from app.engine import EngineLimits, Loading, load_table
from app.errors import ServiceError
from app.refresh.copying import copy_files
from app.refresh.sources import find_files
from app.refresh.steps import Step
from app.registry import Registry
from app.table import Table

# Sources beyond this have all threads and all memory to themselves, one after the other.
_LARGE_BYTES = 16 * 1024 * 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a refresh works: copies in ``staging``, new Tables in ``tables``.

    An index of more than ``index_bytes`` is left out; it is of use to who serves the Table.
    """

    staging: Path
    tables: Path
    limits: EngineLimits
    index_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of one step: a Table, or the refusal of it."""

    step: Step
    seconds: float
    table: Table | None = None
    error: ServiceError | None = None


def load_steps(
    registry: Registry, steps: Sequence[Step], place: Place, progress: Progress
) -> list[Loaded]:
    """Do every step, in its order; each refusal is told, so that one call tells of all."""
    sizes = {step.dataset.name: bytes_of(registry, step) for step in steps}
    large = [step for step in steps if sizes[step.dataset.name] > _LARGE_BYTES]
    small = [step for step in steps if step not in large]
    abreast = max(1, min(os.cpu_count() or 1, sum(step.kept is None for step in small)))
    shared = replace(
        place.limits,
        threads=max(1, place.limits.threads // abreast),
        memory_bytes=place.limits.memory_bytes // abreast,
    )
    narrow = replace(place, limits=shared)
    with ThreadPoolExecutor(abreast) as pool:
        done = list(pool.map(lambda step: _done(registry, step, narrow, progress), small))
    done += [_done(registry, step, place, progress) for step in large]
    by_name = {each.step.dataset.name: each for each in done}
    return [by_name[step.dataset.name] for step in steps]


def bytes_of(registry: Registry, step: Step) -> int:
    """Count what a step copies; a source that is refused is told of when it is copied."""
    if step.kept is not None:
        return 0
    try:
        found = find_files(registry.sources[step.dataset.source], step.dataset)
    except ServiceError:
        return 0
    return sum(file.bytes for file in found)


def copied(registry: Registry, dataset: Dataset, staging: Path, progress: Progress) -> Loading:
    """Copy a dataset's files into a folder of its own below ``staging``, ready to be loaded.

    Raises:
        SourceError: a file is refused.
        NoRoomError: the copies do not fit.
    """
    staging.mkdir(mode=0o700, exist_ok=True)
    folder = staging / dataset.name
    files = copy_files(registry.sources[dataset.source], dataset, folder, progress)
    copies = [folder / f"{index:04d}.parquet" for index in range(len(files))]
    if dataset.hive_partitioning:
        copies = list(_in_partitions(copies, [folder / "by" / file.path for file in files]))
    return Loading(dataset, copies, [file.as_fact() for file in files])


def _done(registry: Registry, step: Step, place: Place, progress: Progress) -> Loaded:
    started = monotonic()
    try:
        table = step.kept or _loaded(registry, step, place, progress)
    except ServiceError as error:
        return Loaded(step, round(monotonic() - started, 3), error=error)
    return Loaded(step, round(monotonic() - started, 3), table)


def _loaded(registry: Registry, step: Step, place: Place, progress: Progress) -> Table:
    loading = copied(registry, step.dataset, place.staging, progress)
    if step.previous is not None and step.previous.hash == loading.hash:
        return replace(step.previous, files=tuple(loading.files))
    return load_table(loading, place.tables, place.limits, place.index_bytes)


def _in_partitions(copies: Sequence[Path], named: Sequence[Path]) -> Iterator[Path]:
    """Give the copies the folders ``k=v`` that their columns are read from."""
    for copy, name in zip(copies, named, strict=True):
        name.parent.mkdir(parents=True, exist_ok=True)
        copy.rename(name)
        yield name
