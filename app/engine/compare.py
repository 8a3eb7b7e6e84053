"""Counts what changed between two Tables of one dataset, row by row. Runs beside the loader."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from app.engine.duck import EngineLimits, connect
from app.engine.sql import quoted_name, quoted_text
from app.query import TABLE


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How many rows, by key, are only in the new Table, only in the old, or differ."""

    added: int
    removed: int
    changed: int


def compare_tables(
    before: Path, after: Path, names: tuple[Sequence[str], Sequence[str]], limits: EngineLimits
) -> RowChanges | None:
    """Compare two Table files; ``names`` are their keys and the other columns they share.

    It only informs: where the engine cannot, for lack of room or memory, it gives None.
    """
    try:
        return _compared(before, after, names, limits)
    except duckdb.Error:
        return None


def _compared(
    before: Path, after: Path, names: tuple[Sequence[str], Sequence[str]], limits: EngineLimits
) -> RowChanges:
    keys, others = names
    connection = connect(limits)
    try:
        for path, catalog in ((before, "before"), (after, "after")):
            connection.execute(f"ATTACH {quoted_text(str(path))} AS {catalog}_ (READ_ONLY)")
        differs = " OR ".join(
            f"b.{quoted_name(name)} IS DISTINCT FROM a.{quoted_name(name)}" for name in others
        )
        first = quoted_name(keys[0])
        both = f"b.{first} IS NOT NULL AND a.{first} IS NOT NULL"
        (added, removed, changed) = connection.execute(
            f"SELECT count(*) FILTER (WHERE b.{first} IS NULL),"
            f" count(*) FILTER (WHERE a.{first} IS NULL),"
            f" count(*) FILTER (WHERE {both} AND ({differs or 'false'}))"
            f" FROM before_.main.{TABLE} b FULL JOIN after_.main.{TABLE} a"
            f" USING ({', '.join(map(quoted_name, keys))})"
        ).fetchall()[0]
    finally:
        connection.close()
    return RowChanges(added, removed, changed)
