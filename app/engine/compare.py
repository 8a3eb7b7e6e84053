"""Puts two Table files against each other, in an instance that holds nothing else."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from app.engine.duck import DuckEngine, EngineLimits
from app.engine.queue import Queue, Work
from app.query import SIDES, Compared, Comparison, compare


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How many rows, by key, are only in the new Table, only in the old, or differ."""

    added: int
    removed: int
    changed: int


def compare_engines(
    comparison: Comparison, engines: tuple[DuckEngine, DuckEngine], work: Work | None = None
) -> Compared:
    """Run a Comparison whose ``a`` is asked of the first engine and ``b`` of the second.

    Raises:
        FileNotFoundError: a Table file is gone.
        BusyError: too many questions are being worked on.
    """
    name, one = comparison.b.dataset.name, engines[1]
    a, b = (engine.tables[name] for engine in engines)
    work = work or Work()
    with work.counted():
        engine = _engine((a, b), one.limits.left(), one.queue)
    return compare(comparison, partial(engine.run, work=work))


def compare_tables(
    comparison: Comparison, files: tuple[Path, Path], limits: EngineLimits
) -> RowChanges | None:
    """Count what changed between two Table files; runs beside the loader.

    It only informs: where the engine cannot, for lack of room or memory, it gives None.
    """
    try:
        found = compare(comparison, _engine(files, limits, Queue(running=1, waiting=0)).run)
    except duckdb.Error:
        return None
    return RowChanges(found.only_b, found.only_a, found.different)


def _engine(files: tuple[Path, Path], limits: EngineLimits, queue: Queue) -> DuckEngine:
    # What a Generation has open is shut: nothing can be attached to it.
    return DuckEngine(dict(zip(SIDES, files, strict=True)), limits, queue)
