"""Makes ready what a dataset asks for: rollups in the Table file, and further orders beside it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from app.dataset import Dataset
from app.engine.indexing import can_index, few_valued, index_sql, write_index
from app.engine.sql import quoted_name
from app.query import (
    KEYS,
    NUMBERS,
    TABLE,
    Order,
    catalog_of,
    compile_rollup,
    orders_of,
    rolled_up,
    sets_of,
)
from app.table import Finding, Table, TableColumn

# What the sets of a rollup may take, with a bit for each different value in each group: beyond it
# putting them together takes longer than counting the rows.
_MOST_SET_BYTES = 8 << 20
# With fewer to put together a rollup saves nothing.
_ROWS_A_GROUP = 2


@dataclass(frozen=True, slots=True)
class Indexing:
    """Where the indexes of a Table go, by the name of their order, and how large each may be."""

    folder: Path
    stem: str
    most_bytes: int

    def path(self, order: str) -> Path:
        """Give the path of an index; that of the keys has no name of its own."""
        return self.folder / f"{self.stem}{index_suffix(order)}"


@dataclass(slots=True)
class Prepared:
    """What was made: the bytes of each index, each rollup, and what was left out."""

    indexes: dict[str, int] = field(default_factory=dict)
    rollups: dict[str, Table] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def index_suffix(order: str) -> str:
    """Give how the name of an index file ends."""
    return ".index" if order == KEYS else f".{order}.index"


@dataclass(frozen=True, slots=True)
class Preparer:
    """Works on one loaded Table, through the open connection that has loaded it."""

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    table: Table
    indexing: Indexing

    def prepare(self) -> Prepared:
        """Make all that is asked for; what cannot be made is left out, and told."""
        prepared = Prepared()
        for name, order in orders_of(self.dataset).items():
            size = self._indexed(name, order, self.table)
            if size:
                prepared.indexes[name] = size
            elif name != KEYS and self.indexing.most_bytes and self.table.rows:
                told = "it is too large for an index, or none can hold one of its columns"
                prepared.findings.append(_left_out(name, told))
        for name in self.dataset.prepare.rollups:
            try:
                prepared.rollups[name] = self._rolled_up(name)
            except (duckdb.OutOfRangeException, duckdb.ConversionException):
                prepared.findings.append(_left_out(name, "no number can hold one of its figures"))
            except duckdb.OutOfMemoryException:
                prepared.findings.append(_left_out(name, "it takes more memory than there is"))
            except OverflowError as error:
                prepared.findings.append(_left_out(name, str(error)))
        return prepared

    def _indexed(self, name: str, order: Order, rows: Table) -> int:
        """Write the index of an order of some rows, if they may have it; give its bytes."""
        most_bytes = self.indexing.most_bytes
        if not most_bytes or not can_index(rows.columns, order):
            return 0
        source = self._in_file(TABLE if rows is self.table else name)
        ordered = self.connection.sql(index_sql(source, rows.columns, order))
        few = few_valued(rows.columns, rows.rows)
        return write_index(ordered, few, self.indexing.path(name), most_bytes)

    def _rolled_up(self, name: str) -> Table:
        """Write a rollup into the Table file, and its index beside it; give it as a Table.

        Raises:
            OverflowError: it would be too large to be of use.
        """
        rollup = rolled_up(self.dataset, name)
        groups = self._count(", ".join(map(quoted_name, rollup.groups)))
        if groups > self.table.rows // _ROWS_A_GROUP:
            raise OverflowError(f"it would have {groups:,} groups of {self.table.rows:,} rows")
        columns = sets_of(self.dataset, name)
        known = {each.name: each.distinct or 0 for each in self.table.columns}
        _check_sets(groups * sum(known[column] for column in columns))
        counts = [self._number(place, column) for place, column in enumerate(columns)]
        _check_sets(groups * sum(counts))
        sql = compile_rollup(self.dataset, name, list(zip(columns, counts, strict=True)))
        self.connection.execute(f"CREATE TABLE {self._in_file(name)} AS {sql}")
        found = self.connection.execute(f"FROM {self._in_file(name)} LIMIT 0").description
        made = Table("", groups, 0, tuple(TableColumn(n, "", str(kind)) for n, kind, *_ in found))
        order = tuple((group, False) for group in rollup.groups)
        return replace(made, index_bytes=self._indexed(name, order, made))

    def _number(self, place: int, column: str) -> int:
        """Number the different values of a column; give how many there are."""
        value = f"SELECT DISTINCT {quoted_name(column)} AS value FROM {self._in_file(TABLE)}"
        has_nan = any(each.nan for each in self.table.columns if each.name == column)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {NUMBERS}_{place} AS"
            " SELECT value, CAST(row_number() OVER () - 1 AS INTEGER) AS number"
            f" FROM ({value}) WHERE value IS NOT NULL{' AND NOT isnan(value)' if has_nan else ''}"
        )
        return self._rows_of(f"temp.main.{NUMBERS}_{place}")

    def _count(self, columns: str) -> int:
        return self._rows_of(f"(SELECT DISTINCT {columns} FROM {self._in_file(TABLE)})")

    def _rows_of(self, source: str) -> int:
        (rows,) = self.connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
        return int(rows)

    def _in_file(self, name: str) -> str:
        return f"{quoted_name(catalog_of(self.dataset.name))}.main.{quoted_name(name)}"


def _check_sets(bits: int) -> None:
    if bits > 8 * _MOST_SET_BYTES:
        told = f"its sets of values would take {bits >> 23} MiB"
        raise OverflowError(f"{told}, and {_MOST_SET_BYTES >> 20} are what helps")


def _left_out(name: str, told: str) -> Finding:
    return Finding("prepare", f"{name} is left out: {told}", severity="warning")
