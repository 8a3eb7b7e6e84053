"""Puts two Table files against each other, in an instance that holds nothing else."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from app.engine.duck import DuckEngine, EngineLimits
from app.engine.queue import Queue
from app.query import SIDES, Compared, Comparison, compare


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How many rows, by key, are only in the new Table, only in the old, or differ."""

    added: int
    removed: int
    changed: int


def compare_engines(comparison: Comparison, engines: tuple[DuckEngine, DuckEngine]) -> Compared:
    """Run a Comparison whose ``a`` is asked of the first engine and ``b`` of the second.

    Raises:
        FileNotFoundError: a Table file is gone.
        BusyError: too many questions are being worked on.
    """
    name, one = comparison.b.dataset.name, engines[1]
    a, b = (engine.tables[name] for engine in engines)
    return _compared(comparison, (a, b), one.limits, one.queue)


def compare_tables(
    comparison: Comparison, files: tuple[Path, Path], limits: EngineLimits
) -> RowChanges | None:
    """Count what changed between two Table files; runs beside the loader.

    It only informs: where the engine cannot, for lack of room or memory, it gives None.
    """
    try:
        found = _compared(comparison, files, limits, Queue(running=1, waiting=0))
    except duckdb.Error:
        return None
    return RowChanges(found.only_b, found.only_a, found.different)


def _compared(
    comparison: Comparison, files: tuple[Path, Path], limits: EngineLimits, queue: Queue
) -> Compared:
    # What a Generation has open is shut: nothing can be attached to it.
    engine = DuckEngine(dict(zip(SIDES, files, strict=True)), limits, queue)
    return compare(comparison, engine.run)
