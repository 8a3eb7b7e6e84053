"""Loads copied source files into one Table file, verified. Runs in a process of its own."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from app.dataset import Dataset
from app.engine.duck import EngineLimits, connect
from app.engine.fit import Fitted, files_alike, fit_columns, names_apart
from app.engine.loading import STORAGE_VERSION, Loading
from app.engine.preparing import Indexing, Preparer, index_suffix
from app.engine.sql import quoted_name, quoted_text
from app.engine.verify import Verifier
from app.engine.warn import late_or_early, slow_to_load
from app.errors import NoRoomError, SourceError, TableError
from app.query import KEYS, TABLE, catalog_of, unfit
from app.table import Fact, Finding, Table

_BEFORE = "before_"


def load_table(loading: Loading, tables: Path, limits: EngineLimits, index_bytes: int = 0) -> Table:
    """Write the Table file ``tables/<hash>.duckdb`` and its indexes, and give its facts.

    Each file appears whole or not at all; one that is there already is replaced. An index of
    more than ``index_bytes`` is left out.

    Raises:
        SourceError: a file is no Parquet, or the files of the table do not fit each other.
        TableError: the content does not keep what the dataset declares, or prepares.
        NoRoomError: the disk, or the room to spill to, is full.
    """
    # Two datasets may be one table, and are loaded side by side.
    unfinished = tables / f"{loading.hash}.{loading.dataset.name}.unfinished"
    indexing = Indexing(tables, unfinished.name, index_bytes)
    prepare = loading.dataset.prepare
    indexes = {name: indexing.path(name) for name in (KEYS, *prepare.orders, *prepare.rollups)}
    aside = (unfinished, *indexes.values(), unfinished.with_suffix(".unfinished.wal"))
    try:
        _remove(aside)
        table = _loaded(loading, unfinished, limits, indexing)
        for name, index in indexes.items():
            if index.exists():
                _settle(index, tables / f"{loading.hash}{index_suffix(name)}")
        _settle(unfinished, tables / f"{loading.hash}.duckdb")
    except duckdb.Error as error:
        raise _refusal(loading.dataset, error) from error
    finally:
        _remove(aside)
    return table


def _loaded(loading: Loading, target: Path, limits: EngineLimits, indexing: Indexing) -> Table:
    catalog = quoted_name(catalog_of(loading.dataset.name))
    connection = connect(limits)
    try:
        connection.execute(
            f"ATTACH {quoted_text(str(target))} AS {catalog} (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        fitted = _fitted(connection, loading)
        loaded = f"{catalog}.main.{quoted_name(TABLE)}"
        connection.execute(f"CREATE TABLE {loaded} AS {_ordered(connection, loading, fitted)}")
        table = _verified(
            connection, loading, Verifier(connection, loaded, loading.dataset, fitted)
        )
        table = _prepared(connection, loading, table, indexing)
        connection.execute(f"DETACH {catalog}")
    finally:
        connection.close()
    return replace(table, bytes=target.stat().st_size)


def _prepared(
    connection: duckdb.DuckDBPyConnection, loading: Loading, table: Table, indexing: Indexing
) -> Table:
    """Make ready what the dataset asks for; the Table as it is with that.

    Raises:
        TableError: a figure is asked of a column that has none such.
    """
    completed = replace(loading.dataset, columns=table.completed(loading.dataset).columns)
    told = [Finding("prepare", message, column or None) for column, message in unfit(completed)]
    _refuse(loading.dataset, told)
    prepared = Preparer(connection, completed, table, indexing).prepare()
    return replace(
        table,
        index_bytes=prepared.indexes.pop(KEYS, 0),
        orders=prepared.indexes,
        rollups=prepared.rollups,
        findings=(*table.findings, *(each.as_fact() for each in prepared.findings)),
    )


def _fitted(connection: duckdb.DuckDBPyConnection, loading: Loading) -> tuple[Fitted, ...]:
    hive = loading.dataset.hive_partitioning
    _refuse(loading.dataset, list(names_apart(_names(connection, loading.copies[0]))))
    if len(loading.copies) > 1:
        files = {
            str(file["path"]): {
                name: str(kind) for name, kind in _described(connection, _reader([copy])).items()
            }
            for file, copy in zip(loading.files, loading.copies, strict=True)
        }
        _refuse(loading.dataset, list(files_alike(files)))
    found = _described(connection, _reader(loading.copies, hive=hive))
    fitted, findings = fit_columns(loading.dataset, found)
    _refuse(loading.dataset, findings)
    return fitted


def _described(connection: duckdb.DuckDBPyConnection, reader: str) -> Mapping[str, Any]:
    found = connection.execute(f"SELECT * FROM {reader} LIMIT 0").description
    return {each[0]: each[1] for each in found}


def _names(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Give the names of the file's own columns as they stand in it, not those within them."""
    sql = f"SELECT name, num_children FROM parquet_schema({quoted_text(str(path))})"
    names, within = [], 0
    for name, children in connection.execute(sql).fetchall()[1:]:
        if not within:
            names.append(name)
        within = max(within - 1, 0) + (children or 0)
    return names


def _reader(copies: Sequence[Path], *, hive: bool = False) -> str:
    paths = ", ".join(quoted_text(str(path)) for path in copies)
    return f"read_parquet([{paths}], hive_partitioning = {str(hive).lower()})"


def _ordered(
    connection: duckdb.DuckDBPyConnection, loading: Loading, fitted: Sequence[Fitted]
) -> str:
    """Select what the Table will hold, in its order."""
    columns = ", ".join(
        f"CAST({quoted_name(each.name)} AS {each.physical}) AS {quoted_name(each.name)}"
        for each in fitted
    )
    reader = _reader(loading.copies, hive=loading.dataset.hive_partitioning)
    selected = f"SELECT {columns} FROM {reader}"
    names = _order(loading.dataset)
    by = ", ".join(map(quoted_name, names))
    return selected + ("" if _is_sorted(connection, selected, names) else f" ORDER BY {by}")


def _order(dataset: Dataset) -> list[str]:
    """Give the order of the rows: by time, so that a period of all keys stands together."""
    # One key is found by the index, whatever the order.
    times = [dataset.time] if dataset.time else []
    return [*times, *(key for key in dataset.keys if key not in times)]


def _is_sorted(connection: duckdb.DuckDBPyConnection, selected: str, order: Sequence[str]) -> bool:
    """Tell whether the files are in that order already; reading them is cheaper."""
    names = [quoted_name(name) for name in order]
    before = ", ".join(f"lag({name}) OVER () AS {_BEFORE}{n}" for n, name in enumerate(names))
    last = ", ".join(f"{_BEFORE}{n}" for n in range(len(names)))
    sql = (
        f"SELECT 1 FROM (SELECT {', '.join(names)}, {before} FROM ({selected}))"
        f" WHERE {_BEFORE}0 IS NOT NULL AND ({last}) > ({', '.join(names)}) LIMIT 1"
    )
    return not connection.execute(sql).fetchall()


def _verified(connection: duckdb.DuckDBPyConnection, loading: Loading, verifier: Verifier) -> Table:
    (rows,) = connection.execute(f"SELECT count(*) FROM {verifier.table}").fetchall()[0]
    findings = [*verifier.findings(), *_unlike_published(loading.files, rows)]
    _refuse(loading.dataset, findings)
    versions = verifier.versions()
    warnings = [*late_or_early(versions), *slow_to_load(connection, loading.copies)]
    return Table(
        hash=loading.hash,
        rows=rows,
        bytes=0,
        columns=verifier.columns(),
        versions=versions,
        files=tuple(loading.files),
        findings=tuple(warning.as_fact() for warning in warnings),
    )


def _unlike_published(files: Sequence[Fact], rows: int) -> list[Finding]:
    """Find a count of rows other than the one the files' producer gives."""
    told = [file.get("rows") for file in files]
    known = [each for each in told if isinstance(each, int)]
    if not known or len(known) < len(told) or sum(known) == rows:
        return []
    message = f"the manifest speaks of {sum(known):,} rows; the files hold {rows:,}"
    return [Finding("manifest", message, count=abs(sum(known) - rows))]


def _refuse(dataset: Dataset, findings: Sequence[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise TableError(
            f"{dataset.name}: {errors[0].message}"
            + (f" (and {len(errors) - 1} more findings)" if len(errors) > 1 else ""),
            dataset=dataset.name,
            errors=[finding.as_fact() for finding in errors],
        )


def _refusal(dataset: Dataset, error: duckdb.Error) -> Exception:
    """Say in our own words what the engine stumbled over; its text may show paths."""
    full = isinstance(error, duckdb.IOException) and "No space left" in str(error)
    if full or isinstance(error, duckdb.OutOfMemoryException):
        return NoRoomError(f"{dataset.name}: loading needs more memory or room than there is.")
    if isinstance(error, duckdb.BinderException):
        message = "its files do not have the same columns"
    elif isinstance(error, duckdb.ConversionException):
        message = "its files do not have the same types, or a value does not fit its type"
    else:
        message = "a file is damaged, or is no Parquet file"
    return SourceError(f"{dataset.name}: {message}.", dataset=dataset.name)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _settle(unfinished: Path, target: Path) -> None:
    """Make a finished file durable, read-only and visible under its name."""
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.fchmod(descriptor, 0o400)
    finally:
        os.close(descriptor)
    unfinished.rename(target)
