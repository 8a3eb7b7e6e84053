"""Turns a Query into one parametrised SELECT. Pure: no connection, no clock, no value in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column, Constant, Dataset
from app.query.cells import TABLE, comparable, counted, shown, stored, table_of, text
from app.query.conditions import beyond, beyond_values, bound, condition, emptied
from app.query.days import whole_days
from app.query.decimals import exact_decimals
from app.query.export import settled
from app.query.measures import figure
from app.query.query import AnyOf, Measure, Query, Sort, Where
from app.query.rollups import RolledUp, rollup_for

# What a Statement gives: a page with its lineage, all rows as they are stored, or a summary.
_Form = Literal["page", "export", "summary"]
_LINEAGE = ("dataset_id", "model_version", "generated_at")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL for one engine and the values bound to it.

    The result has ``columns`` first and then, but for figures, the lineage: three cells a row
    (``dataset_id, model_version, generated_at``).
    With a ``limit`` it may give one row more, which only tells that there are more. ``table`` is
    what it reads of the Table file: its rows, or a rollup.
    """

    sql: str
    values: tuple[object, ...]
    columns: tuple[Column, ...]
    figures: bool
    limit: int | None = None
    table: str = TABLE


def compile_query(query: Query) -> Statement:
    """Compile a Query; the text is made once for each shape of query.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    query = exact_decimals(whole_days(query))
    sql, columns, table = _compiled(query.dataset, _Shape.of(query))
    # One more than asked for tells whether there are more.
    values = _values(query, more=1)
    return Statement(sql, values, columns, bool(query.measures), query.limit, table)


def compile_export(query: Query) -> Statement:
    """Compile a Query of rows for all of them, as the Table holds them and without the lineage.

    The lineage columns are among the others. Without a sort the order is the Table's own.

    Raises:
        LookupError: it names a column that the dataset does not serve, or asks for figures.
    """
    return _compiled_whole(settled(query), "export")


def compile_summary(query: Query) -> Statement:
    """Compile of which lineage the rows are that the Export of a Query holds, each told once.

    Raises:
        LookupError: it names a column that the dataset does not serve, or asks for figures.
    """
    whole = settled(query)
    # Without a limit the order does not change which rows there are.
    sort = whole.sort if query.limit is not None else ()
    return _compiled_whole(replace(whole, sort=sort, select=()), "summary")


def _compiled_whole(query: Query, form: _Form) -> Statement:
    query = exact_decimals(whole_days(query))
    sql, columns, table = _compiled(query.dataset, replace(_Shape.of(query), form=form))
    return Statement(sql, _values(query), columns, figures=False, table=table)


def _values(query: Query, more: int = 0) -> tuple[object, ...]:
    """Give the values in the order of their placeholders."""
    values = [
        comparable(query.column(each.column), value)
        for each in query.conditions
        for value in bound(each)
    ]
    values += [comparable(*each) for each in beyond_values(query)]
    if query.limit is not None:
        values.append(query.limit + more)
    if query.offset:
        values.append(query.offset)
    return tuple(values)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A Query without its values: what the text depends on."""

    select: tuple[str, ...]
    where: tuple[Where | AnyOf, ...]
    group_by: tuple[str, ...]
    measures: tuple[Measure, ...]
    window: str | None
    sort: tuple[Sort, ...]
    after: tuple[bool, ...]
    limited: bool
    offset: bool
    form: _Form = "page"

    @classmethod
    def of(cls, query: Query) -> "_Shape":
        return cls(
            tuple(query.select),
            tuple(emptied(each) for each in query.where),
            tuple(query.group_by),
            tuple(query.measures),
            query.window,
            tuple(query.sort),
            tuple(value is not None for value in query.after),
            query.limit is not None,
            bool(query.offset),
        )

    def question(self, dataset: Dataset) -> Query:
        """Give a Query of this shape; what it is asked with stands for any value."""
        after = tuple(True if known else None for known in self.after)
        shown = (self.select, self.where, self.group_by, self.measures)
        return Query(dataset, *shown, sort=self.sort, after=after)


@lru_cache(maxsize=512)
def _compiled(dataset: Dataset, shape: _Shape) -> tuple[str, tuple[Column, ...], str]:
    question = shape.question(dataset)
    rollup = _rollup(question, shape)
    outputs = list(_outputs(question, shape.window, rollup))
    grouped = len(shape.group_by) + (shape.window is not None)
    select = exp.Select(expressions=_expressions(question, outputs, shape.form))
    table = TABLE if rollup is None else rollup.table
    select = select.from_(table_of(dataset, table))
    if shape.where or shape.after:
        asked = [condition(question, each) for each in shape.where]
        select = select.where(exp.and_(*asked, *beyond(question)))
    if shape.measures and grouped:
        select = select.group_by(*(each.copy() for _, each in outputs[:grouped]))
    if shape.sort:
        figures = outputs if shape.measures else outputs[:grouped]
        named = {column.name: each for column, each in figures}
        for name, descending in question.order:
            by = named[name].copy() if name in named else counted(question.column(name))
            select = select.order_by(_ordered(by, descending=descending))
    if shape.limited:
        select = select.limit(_most(shape))
    if shape.offset:
        select = select.offset(exp.Placeholder())
    if shape.form == "summary":
        return _summary(select).sql(dialect=DuckDB), (), table
    return select.sql(dialect=DuckDB), tuple(column for column, _ in outputs), table


def _rollup(question: Query, shape: _Shape) -> RolledUp | None:
    """Give the rollup that tells all that is asked: figures, or which lineage there is."""
    whole = not (shape.limited or shape.offset or shape.after)
    if shape.measures or (shape.form == "summary" and whole):
        return rollup_for(question, windowed=shape.window is not None)
    return None


def _most(shape: _Shape) -> exp.Expr:
    if shape.form == "page" or shape.sort:
        return exp.Placeholder()
    # Where the engine knows a large limit beforehand, it sorts by row number for nothing.
    return exp.Subquery(this=exp.Select(expressions=[exp.Placeholder()]))


def _expressions(
    question: Query, outputs: list[tuple[Column, exp.Expr]], form: _Form
) -> list[exp.Expr]:
    if form == "summary":
        pairs = zip(_lineage(question), _LINEAGE, strict=True)
        return [exp.alias_(part, name, quoted=True) for part, name in pairs]
    if form == "export":
        return [exp.alias_(cell, column.name, quoted=True) for column, cell in outputs]
    cells = [exp.alias_(shown(*each), each[0].name, quoted=True) for each in outputs]
    return cells if question.measures else [*cells, *_lineage(question)]


def _summary(rows: exp.Select) -> exp.Select:
    """Tell each lineage once, with its newest ``generated_at``."""
    dataset_id, model_version, generated_at = (exp.column(name, quoted=True) for name in _LINEAGE)
    newest = exp.Max(this=generated_at)
    grouped = exp.Select(expressions=[dataset_id, model_version, newest])
    return grouped.from_(rows.subquery("held")).group_by(dataset_id.copy(), model_version.copy())


def _outputs(
    query: Query, window: str | None, rollup: RolledUp | None
) -> Iterator[tuple[Column, exp.Expr]]:
    """Give what is answered: each column, and the expression that it is grouped and sorted by."""
    if window is not None:
        column = query.column(query.dataset.time or "")
        start = exp.Anonymous(this="date_trunc", expressions=[text(window), stored(column)])
        yield Column("window", "date", physical="DATE"), exp.cast(start, "date")
    if not query.measures:
        names = query.select or [column.name for column in query.dataset.columns]
        yield from ((query.column(name), stored(query.column(name))) for name in names)
        return
    yield from ((query.column(name), counted(query.column(name))) for name in query.group_by)
    made = figure if rollup is None else rollup.figure
    for measure in query.measures:
        yield made(measure, [query.column(name) for name in measure.columns])


def _lineage(query: Query) -> list[exp.Expr]:
    lineage = query.dataset.lineage
    return [
        text(part.value) if isinstance(part, Constant) else stored(query.column(part))
        for part in (lineage.dataset_id, lineage.model_version, lineage.generated_at)
    ]


def _ordered(by: exp.Expr, *, descending: bool) -> exp.Expr:
    return exp.Ordered(this=by, desc=descending, nulls_first=False)
