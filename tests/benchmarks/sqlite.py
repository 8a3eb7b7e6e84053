"""The gold tables as one SQLite file, with an index for each question: what Datasette serves.

python -m tests.benchmarks.sqlite GOLD FILE
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 50_000
TABLES = {
    "fact_inventory": "CREATE TABLE fact_inventory (item_id INTEGER PRIMARY KEY,"
    " current_stock INTEGER, reorder_point INTEGER, safety_stock INTEGER,"
    " last_updated TEXT, dataset_id TEXT)",
    "fact_forecast": "CREATE TABLE fact_forecast (item_id INTEGER, date TEXT, forecast REAL,"
    " actual REAL, source TEXT, model_version TEXT, dataset_id TEXT, generated_at TEXT,"
    " PRIMARY KEY (item_id, date)) WITHOUT ROWID",
}
INDEXES = (
    "CREATE INDEX by_date ON fact_forecast (date)",
    "CREATE INDEX by_source ON fact_forecast (source, forecast DESC, item_id, date)",
    "ANALYZE",
)


@click.command()
@click.argument("gold", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
def main(gold: Path, file: Path) -> None:
    """Write the tables of the folder GOLD into FILE."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        for name, table in TABLES.items():
            database.execute(table)
            for rows, width in _batches(gold / f"{name}.parquet"):
                places = ", ".join("?" * width)
                database.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 - our own names
        for index in INDEXES:
            database.execute(index)
        database.commit()


def _batches(path: Path) -> Iterator[tuple[Iterator[tuple[object, ...]], int]]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
        columns = [_plain(column) for column in batch.columns]
        yield zip(*columns, strict=True), len(columns)


def _plain(column: pa.Array) -> list[object]:
    """Give the cells as SQLite has them: dates and moments are text."""
    temporal = pa.types.is_temporal(column.type)
    cells: list[object] = column.cast(pa.string()).to_pylist() if temporal else column.to_pylist()
    return cells


if __name__ == "__main__":
    main()
