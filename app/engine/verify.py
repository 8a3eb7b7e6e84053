"""Verifies a loaded Table against its dataset, and counts what the catalogue shows of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import islice
from operator import itemgetter

import duckdb

from app.dataset import Column, Constant, Dataset
from app.engine.fit import Fitted
from app.engine.jsontext import is_json, maybe_no_json
from app.engine.sql import quoted_name, quoted_text
from app.formats import plain
from app.table import Fact, Finding, TableColumn

_EXAMPLES = 5
_ORDERED = {"integer", "number", "decimal", "string", "boolean", "date", "time", "timestamp"}
_MOST_VERSIONS = 10_000
# Digits that no bound needs more of.
_WIDEST_BOUND = 500


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
        repeated = self._repeated(self.dataset.keys, "keys")
        return [*found, *self._unreadable(), *repeated, *self._unique()]

    def columns(self) -> tuple[TableColumn, ...]:
        """Count each column's nulls, NaN, distinct values and bounds."""
        asked = [expression for each in self.fitted for expression in _figures(each)]
        cells = iter(self._row(["count(*)", *asked], []))
        rows = next(cells)
        return tuple(_column(each, rows, list(islice(cells, 5))) for each in self.fitted)

    def versions(self) -> tuple[Fact, ...]:
        """Count the rows and spans of each dataset_id and model_version, oldest first.

        Of too many the newest are given, which say how old the Table is.
        """
        lineage, time = self.dataset.lineage, self.dataset.time
        dataset_id, model_version, generated_at = map(
            _part, (lineage.dataset_id, lineage.model_version, lineage.generated_at)
        )
        span = [f"min({quoted_name(time)})", f"max({quoted_name(time)})"] if time else ["NULL"] * 2
        figures = [f"min({generated_at})", f"max({generated_at})", *span]
        names = ["dataset_id", "model_version", "rows", "first_generated_at", "last_generated_at"]
        sql = (
            f"SELECT {dataset_id}, {model_version}, count(*), {', '.join(figures)}"
            f" FROM {self.table} GROUP BY 1, 2 ORDER BY 5 DESC, 2 DESC, 1 DESC"
            f" LIMIT {_MOST_VERSIONS}"
        )
        newest = self.connection.execute(sql).fetchall()
        rows = sorted(newest, key=itemgetter(3, 1, 0))
        return tuple(
            dict(zip([*names, "from", "until"], map(plain, row), strict=True)) for row in rows
        )

    def _checks(self) -> Iterator[Check]:
        needed = {*self.dataset.keys, *self.dataset.lineage.columns}
        for each in self.fitted:
            column = self.dataset.column(each.name) or Column(each.name)
            yield from _bounds(each, column)
            if column.required or each.name in needed:
                yield Check("required", each.name, _missing(each), "is null")
            if each.type in {"date", "timestamp"}:
                yield _within_years(each)
            if each.narrowed:
                name = quoted_name(each.name)
                yield Check("type", each.name, f"abs({name}) >= {2**53}", "is not below 2**53")

    def _finding(self, check: Check, count: int) -> Finding:
        keys = ", ".join(map(quoted_name, self.dataset.keys))
        sql = f"SELECT {keys} FROM {self.table} WHERE {check.broken} LIMIT {_EXAMPLES}"
        examples = self.connection.execute(sql, list(check.values)).fetchall()
        message = f"column {check.column!r} {check.message} in {count} rows"
        return Finding(check.rule, message, check.column, count, self._keyed(examples))

    def _unreadable(self) -> Iterator[Finding]:
        """Find the cells of JSON columns that the engine reads but JSON does not allow."""
        for each in self.fitted:
            if each.type == "json":
                keys, cell = ", ".join(map(quoted_name, self.dataset.keys)), quoted_name(each.name)
                sql = f"SELECT {keys}, {cell} FROM {self.table} WHERE {maybe_no_json(cell)}"
                rows = self.connection.execute(sql).fetchall()
                bad = [row[:-1] for row in rows if not is_json(row[-1])]
                if bad:
                    message = f"column {each.name!r} is no JSON in {len(bad)} rows"
                    examples = self._keyed(bad[:_EXAMPLES])
                    yield Finding("type", message, each.name, len(bad), examples)

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
    name, cast = quoted_name(fitted.name), f"CAST(? AS {_compared_as(fitted)})"
    known = f"NOT {_missing(fitted)}"
    if column.minimum is not None:
        below, least = f"is below {column.minimum}", _rounded(fitted, column.minimum, ROUND_CEILING)
        yield Check("minimum", fitted.name, f"{known} AND {name} < {cast}", below, (least,))
    if column.maximum is not None:
        above, most = f"is above {column.maximum}", _rounded(fitted, column.maximum, ROUND_FLOOR)
        yield Check("maximum", fitted.name, f"{known} AND {name} > {cast}", above, (most,))
    if column.enum:
        among = ", ".join([cast] * len(column.enum))
        allowed = f"is none of {', '.join(map(str, column.enum))}"
        values = tuple(_text(value) for value in column.enum)
        yield Check("enum", fitted.name, f"{known} AND {name} NOT IN ({among})", allowed, values)


def _missing(fitted: Fitted) -> str:
    """Give what tells the rows without a value: NaN counts as null, here and everywhere."""
    name = quoted_name(fitted.name)
    return f"({name} IS NULL OR isnan({name}))" if fitted.type == "number" else f"({name} IS NULL)"


def _compared_as(fitted: Fitted) -> str:
    """Give the type that bounds are compared as: they may be wider than the column."""
    scale = _scale(fitted)
    if fitted.type == "integer":
        return "HUGEINT"
    return fitted.physical if scale is None else f"DECIMAL(38,{scale})"


def _scale(fitted: Fitted) -> int | None:
    if fitted.type == "decimal":
        return int(fitted.physical.rpartition(",")[2].rstrip(")"))
    return 0 if fitted.type == "integer" else None


def _rounded(fitted: Fitted, bound: object, rounding: str) -> str:
    """Give a bound as text, rounded to what the column can hold as the cast would not."""
    scale = _scale(fitted)
    if scale is None or not isinstance(bound, Decimal):
        return str(bound)
    step = Decimal(1).scaleb(-scale)
    return f"{bound.quantize(step, rounding, Context(_WIDEST_BOUND)):f}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _within_years(fitted: Fitted) -> Check:
    name = quoted_name(fitted.name)
    outside = f"({name} < DATE '0001-01-01' OR {name} >= DATE '10000-01-01')"
    if fitted.physical == "TIMESTAMP_NS":
        # Nanoseconds reach from 1677 to 2262; the years cannot even be written as such.
        outside = f"NOT isfinite({name})"
    return Check("years", fitted.name, outside, "is infinite or outside the years 0001 to 9999")


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
