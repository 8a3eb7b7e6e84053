"""Verifies a loaded Table against its dataset, and counts what the catalogue shows of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import duckdb

from app.dataset import Column, Constant, Dataset
from app.engine.fit import Fitted
from app.engine.sql import quoted_name, quoted_text
from app.engine.table import Fact, Finding, TableColumn
from app.formats import plain

_EXAMPLES = 5
_ORDERED = {"integer", "number", "decimal", "string", "boolean", "date", "time", "timestamp"}
_MOST_VERSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Check:
    """A rule on one column: how to tell the rows that break it, and what to say."""

    rule: str
    column: str
    broken: str
    message: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks at one Table, reachable as ``table`` through an open connection."""

    connection: duckdb.DuckDBPyConnection
    table: str
    dataset: Dataset
    fitted: Sequence[Fitted]

    def findings(self) -> list[Finding]:
        """Give everything the Table breaks: rules of its columns, then its keys."""
        checks = list(self._checks())
        columns = [f"count(*) FILTER (WHERE {check.broken})" for check in checks]
        values = [value for check in checks for value in check.values]
        counts = self._row(columns, values)
        broken = [pair for pair in zip(checks, counts, strict=True) if pair[1]]
        found = [self._finding(check, count) for check, count in broken]
        return [*found, *self._repeated(self.dataset.keys, "keys"), *self._unique()]

    def columns(self) -> tuple[TableColumn, ...]:
        """Count each column's nulls, NaN, distinct values and bounds."""
        asked = [expression for each in self.fitted for expression in _figures(each)]
        cells = iter(self._row(["count(*)", *asked], []))
        rows = next(cells)
        return tuple(_column(each, rows, list(islice(cells, 5))) for each in self.fitted)

    def versions(self) -> tuple[Fact, ...]:
        """Count the rows and spans of each dataset_id and model_version, oldest first."""
        lineage, time = self.dataset.lineage, self.dataset.time
        dataset_id, model_version, generated_at = map(
            _part, (lineage.dataset_id, lineage.model_version, lineage.generated_at)
        )
        span = [f"min({quoted_name(time)})", f"max({quoted_name(time)})"] if time else ["NULL"] * 2
        figures = [f"min({generated_at})", f"max({generated_at})", *span]
        names = ["dataset_id", "model_version", "rows", "first_generated_at", "last_generated_at"]
        sql = (
            f"SELECT {dataset_id}, {model_version}, count(*), {', '.join(figures)}"
            f" FROM {self.table} GROUP BY 1, 2 ORDER BY 4, 2, 1 LIMIT {_MOST_VERSIONS}"
        )
        rows = self.connection.execute(sql).fetchall()
        return tuple(
            dict(zip([*names, "from", "until"], map(plain, row), strict=True)) for row in rows
        )

    def _checks(self) -> Iterator[Check]:
        needed = {*self.dataset.keys, *self.dataset.lineage.columns}
        for each in self.fitted:
            column = self.dataset.column(each.name) or Column(each.name)
            yield from _bounds(each, column)
            if column.required or each.name in needed:
                yield Check("required", each.name, f"{quoted_name(each.name)} IS NULL", "is null")
            if each.type in {"date", "timestamp"}:
                yield _within_years(each.name)
            if each.narrowed:
                name = quoted_name(each.name)
                yield Check("type", each.name, f"abs({name}) >= {2**53}", "is not below 2**53")

    def _finding(self, check: Check, count: int) -> Finding:
        keys = ", ".join(map(quoted_name, self.dataset.keys))
        sql = f"SELECT {keys} FROM {self.table} WHERE {check.broken} LIMIT {_EXAMPLES}"
        examples = self.connection.execute(sql, list(check.values)).fetchall()
        message = f"column {check.column!r} {check.message} in {count} rows"
        return Finding(check.rule, message, check.column, count, self._keyed(examples))

    def _unique(self) -> Iterator[Finding]:
        for column in self.dataset.columns:
            if column.unique and (column.name,) != self.dataset.keys:
                yield from self._repeated((column.name,), "unique")

    def _repeated(self, names: Sequence[str], rule: str) -> Iterator[Finding]:
        columns = ", ".join(map(quoted_name, names))
        known = " AND ".join(f"{quoted_name(name)} IS NOT NULL" for name in names)
        repeated = (
            f"SELECT {columns} FROM {self.table} WHERE {known} GROUP BY {columns}"
            f" HAVING count(*) > 1"
        )
        examples = self.connection.execute(f"{repeated} LIMIT {_EXAMPLES}").fetchall()
        if examples:
            (count,) = self.connection.execute(f"SELECT count(*) FROM ({repeated})").fetchall()[0]
            message = f"{', '.join(map(repr, names))}: {count} values stand in several rows"
            keyed = [dict(zip(names, map(plain, row), strict=True)) for row in examples]
            yield Finding(rule, message, names[0] if len(names) == 1 else None, count, keyed)

    def _keyed(self, rows: Sequence[tuple[object, ...]]) -> list[dict[str, object]]:
        return [dict(zip(self.dataset.keys, map(plain, row), strict=True)) for row in rows]

    def _row(self, expressions: Sequence[str], values: Sequence[object]) -> tuple[int, ...]:
        if not expressions:
            return ()
        sql = f"SELECT {', '.join(expressions)} FROM {self.table}"
        return tuple(self.connection.execute(sql, list(values)).fetchall()[0])


def _part(part: str | Constant) -> str:
    return quoted_text(part.value) if isinstance(part, Constant) else quoted_name(part)


def _bounds(fitted: Fitted, column: Column) -> Iterator[Check]:
    name, cast = quoted_name(fitted.name), f"CAST(? AS {fitted.physical})"
    if column.minimum is not None:
        below = f"is below {column.minimum}"
        yield Check("minimum", fitted.name, f"{name} < {cast}", below, (str(column.minimum),))
    if column.maximum is not None:
        above = f"{name} > {cast}" + (f" AND NOT isnan({name})" if fitted.type == "number" else "")
        told = f"is above {column.maximum}"
        yield Check("maximum", fitted.name, above, told, (str(column.maximum),))
    if column.enum:
        among = ", ".join([cast] * len(column.enum))
        allowed = f"is none of {', '.join(map(str, column.enum))}"
        values = tuple(_text(value) for value in column.enum)
        yield Check("enum", fitted.name, f"{name} NOT IN ({among})", allowed, values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _within_years(column: str) -> Check:
    name = quoted_name(column)
    outside = f"({name} < DATE '0001-01-01' OR {name} >= DATE '10000-01-01')"
    return Check("years", column, outside, "is infinite or outside the years 0001 to 9999")


def _figures(fitted: Fitted) -> list[str]:
    """Give the five figures of one column: not null, NaN, distinct, least, greatest."""
    name = quoted_name(fitted.name)
    counted = name
    if fitted.type == "number":
        counted = f"CASE WHEN NOT isnan({name}) THEN {name} END"
    nan = f"count(*) FILTER (WHERE isnan({name}))" if fitted.type == "number" else "0"
    if fitted.type not in _ORDERED:
        return [f"count({name})", nan, "NULL", "NULL", "NULL"]
    distinct = f"approx_count_distinct({counted})"
    return [f"count({name})", nan, distinct, f"min({counted})", f"max({counted})"]


def _column(fitted: Fitted, rows: int, figures: list[int]) -> TableColumn:
    known, nan, distinct, least, greatest = figures
    show: Callable[[object], object] = plain
    return TableColumn(
        fitted.name,
        fitted.type,
        fitted.physical,
        nan=bool(nan),
        nulls=rows - known + nan,
        distinct=distinct,
        min=show(least),
        max=show(greatest),
    )
