"""What a Table's check warns of: it is served, but somebody should look."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from app.dataset import moment
from app.engine.sql import quoted_text
from app.table import Fact, Finding

_MANY_FILES = 100
_MANY_GROUPS = 16
_SMALL_GROUP = 10_000
_LARGE_GROUP = 4_000_000


def late_or_early(versions: Sequence[Fact]) -> Iterator[Finding]:
    """Warn of rows that say they were made in the future."""
    now = datetime.now(UTC)
    early = [each for each in versions if moment(str(each["last_generated_at"])) > now]
    if early:
        newest = max(str(each["last_generated_at"]) for each in early)
        message = f"generated_at reaches into the future, to {newest}"
        yield Finding("generated_at", message, count=len(early), severity="warning")


def slow_to_load(
    connection: duckdb.DuckDBPyConnection, copies: Sequence[Path]
) -> Iterator[Finding]:
    """Warn of files that cost more to load than their rows would."""
    if len(copies) > _MANY_FILES:
        message = f"{len(copies)} files; up to {_MANY_FILES} load faster"
        yield Finding("files", message, count=len(copies), severity="warning")
    groups, rows, largest = _row_groups(connection, copies)
    if groups > _MANY_GROUPS and rows / groups < _SMALL_GROUP:
        message = f"{groups} row groups of {rows // groups} rows on average; 100,000 load faster"
        yield Finding("row_groups", message, count=groups, severity="warning")
    if largest > _LARGE_GROUP:
        message = f"a row group of {largest:,} rows; 100,000 to 1,000,000 need less memory"
        yield Finding("row_groups", message, count=1, severity="warning")


def _row_groups(
    connection: duckdb.DuckDBPyConnection, copies: Sequence[Path]
) -> tuple[int, int, int]:
    paths = ", ".join(quoted_text(str(path)) for path in copies)
    sql = (
        "SELECT count(*), coalesce(sum(n), 0), coalesce(max(n), 0) FROM (SELECT DISTINCT"
        f" file_name, row_group_id, row_group_num_rows AS n FROM parquet_metadata([{paths}]))"
    )
    groups, rows, largest = connection.execute(sql).fetchall()[0]
    return int(groups), int(rows), int(largest)
