"""One column as SQL: as it is stored, counted and shown, and values that compare with it."""

from datetime import date, datetime
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column, Constant, Dataset
from app.query.rows import NanoTime

# What a column of nanoseconds can hold, in whole microseconds.
_FIRST_NANO = datetime(1677, 9, 21, 0, 12, 43, 145225)  # noqa: DTZ001 - UTC, as all of them
_LAST_NANO = datetime(2262, 4, 11, 23, 47, 16, 854775)  # noqa: DTZ001 - as above
_MOST_DIGITS = 38
# Nanoseconds are cut off, and a month becomes thirty days.
_LOST = {
    "TIMESTAMP_NS": exp.DataType.Type.TIMESTAMP_NS,
    "INTERVAL": exp.DataType.Type.INTERVAL,
}
# The table of a Table file that holds the rows, and what a Statement calls what it reads.
TABLE = "data"
STORED = "stored"


def catalog_of(dataset: str) -> str:
    """Name the catalog of a dataset's Table: names like ``memory`` are taken by the engine."""
    return f"{dataset}_table"


def table_of(dataset: Dataset, name: str = TABLE) -> exp.Table:
    """Give a table of a dataset's Table file as something to be read."""
    return exp.table_(name, db="main", catalog=catalog_of(dataset.name), quoted=True, alias=STORED)


def text(value: str) -> exp.Expr:
    """Give a text that is no client's as a literal."""
    return exp.Literal.string(value)


def stored(column: Column) -> exp.Expr:
    """Give the column as the Table holds it."""
    if isinstance(column.stored, Constant):
        return text(column.stored.value)
    # Without its table it could be taken for a column of the answer, which may have its name.
    return exp.column(column.stored or column.name, table=STORED, quoted=True)


def counted(column: Column) -> exp.Expr:
    """Give the column with NaN as null, which it counts as here and everywhere."""
    for nan in is_nan(column):
        return exp.Case(ifs=[exp.If(this=exp.Not(this=nan), true=stored(column))])
    return stored(column)


def is_nan(column: Column) -> list[exp.Expr]:
    """Give what tells NaN, where the column has any."""
    return [exp.IsNan(this=stored(column))] if column.nan else []


def shown(column: Column, cell: exp.Expr) -> exp.Expr:
    """Give a cell as the client is to see it: where Python's own types lose something, as text."""
    if column.physical == "TIMESTAMP_NS":
        written = exp.cast(cell.copy(), "varchar")
        dated = exp.Anonymous(this="replace", expressions=[written, text(" "), text("T")])
        return exp.DPipe(this=dated, expression=text("Z"))
    return exp.cast(cell, _in_texts(column.physical)) if has_lost(column) else cell


def has_lost(column: Column) -> bool:
    """Tell whether values within the column's cells lose something in Python's own types."""
    return column.physical != "TIMESTAMP_NS" and any(lost in column.physical for lost in _LOST)


@lru_cache(maxsize=512)
def _in_texts(physical: str) -> exp.DataType:
    """Give the type with text where values would lose something."""
    kind = exp.DataType.build(physical, dialect=DuckDB)
    for part in list(kind.find_all(exp.DataType)):
        if part.this in _LOST.values():
            part.set("this", exp.DataType.Type.TEXT)
    return kind


def comparable(column: Column, value: object) -> object:
    """Give a value that compares with the column, as the same, without leaving its type."""
    if isinstance(value, NanoTime):
        return str(value)
    if column.physical == "TIMESTAMP_NS" and isinstance(value, date):
        # A datetime is a date to Python.
        whole = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])  # noqa: DTZ001 - UTC
        return min(max(whole, _FIRST_NANO), _LAST_NANO)
    return value
