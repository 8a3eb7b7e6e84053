"""Turns a Query into one parametrised SELECT. Pure: no connection, no clock, no value in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column, Constant, Dataset
from app.query.cells import STORED, comparable, counted, is_nan, shown, stored, text
from app.query.days import whole_days
from app.query.measures import FUNCTIONS
from app.query.query import AnyOf, Measure, Query, Where

TABLE = "data"
_ERRORS = ("mape", "wape", "bias")
# Null is equal to nothing, so what is not equal to a value includes it.
_COMPARED = {
    "eq": exp.EQ,
    "ne": exp.NullSafeNEQ,
    "gt": exp.GT,
    "gte": exp.GTE,
    "lt": exp.LT,
    "lte": exp.LTE,
}
_TEXT = {"contains": "contains", "icontains": "contains", "startswith": "starts_with"}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL for one engine and the values bound to it.

    The result has ``columns`` first and then the lineage: three cells a row
    (``dataset_id, model_version, generated_at``), or, for figures, the newest
    ``generated_at, model_version, dataset_id`` as a struct and the list of model versions.
    """

    sql: str
    values: tuple[object, ...]
    columns: tuple[Column, ...]
    figures: bool


def catalog_of(dataset: str) -> str:
    """Name the catalog of a dataset's Table: names like ``memory`` are taken by the engine."""
    return f"{dataset}_table"


def compile_query(query: Query) -> Statement:
    """Compile a Query; the text is made once for each shape of query.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    query = whole_days(query)
    sql, columns = _compiled(query.dataset, _Shape.of(query))
    values = [
        comparable(query.column(each.column), value)
        for each in query.conditions
        for value in _bound(each)
    ]
    if query.limit is not None:
        values.append(query.limit)
    if query.offset:
        values.append(query.offset)
    return Statement(sql, tuple(values), columns, figures=bool(query.measures))


def _bound(where: Where) -> Sequence[object]:
    """Give the values of a condition as they are bound, one for each placeholder of its text."""
    if where.operator == "isnull":
        return ()
    if where.operator in {"in", "not_in"}:
        return tuple(where.value)  # type: ignore[arg-type]
    return (where.value,)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A Query without its values: what the text depends on."""

    select: tuple[str, ...]
    where: tuple[Where | AnyOf, ...]
    group_by: tuple[str, ...]
    measures: tuple[Measure, ...]
    window: str | None
    sort: tuple[str, ...]
    limited: bool
    offset: bool

    @classmethod
    def of(cls, query: Query) -> "_Shape":
        return cls(
            tuple(query.select),
            tuple(_emptied(each) for each in query.where),
            tuple(query.group_by),
            tuple(query.measures),
            query.window,
            tuple(query.sort),
            query.limit is not None,
            bool(query.offset),
        )


def _emptied(where: Where | AnyOf) -> Where | AnyOf:
    """Give the condition with, for a value, only what its text depends on."""
    if isinstance(where, AnyOf):
        return AnyOf(tuple(_emptied(each) for each in where.conditions))  # type: ignore[misc]
    if where.operator == "isnull":
        return where
    return replace(where, value=len(_bound(where)))


@lru_cache(maxsize=512)
def _compiled(dataset: Dataset, shape: _Shape) -> tuple[str, tuple[Column, ...]]:
    question = Query(dataset, shape.select, shape.where, shape.group_by, shape.measures)
    outputs = list(_outputs(question, shape.window))
    grouped = len(shape.group_by) + (shape.window is not None)
    select = exp.Select(
        expressions=[
            *(exp.alias_(shown(*each), each[0].name, quoted=True) for each in outputs),
            *_lineage(question),
        ]
    ).from_(_table(dataset))
    if shape.where:
        select = select.where(exp.and_(*(_condition(question, each) for each in shape.where)))
    if shape.measures and grouped:
        select = select.group_by(*(each.copy() for _, each in outputs[:grouped]))
    if shape.sort:
        figures = outputs if shape.measures else outputs[:grouped]
        named = {column.name: each for column, each in figures}
        select = select.order_by(*(_ordered(question, each, named) for each in shape.sort))
    if shape.limited:
        select = select.limit(exp.Placeholder())
    if shape.offset:
        select = select.offset(exp.Placeholder())
    return select.sql(dialect=DuckDB), tuple(column for column, _ in outputs)


def _table(dataset: Dataset) -> exp.Table:
    return exp.table_(TABLE, db="main", catalog=catalog_of(dataset.name), quoted=True, alias=STORED)


def _outputs(query: Query, window: str | None) -> Iterator[tuple[Column, exp.Expr]]:
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
    for measure in query.measures:
        yield _figure(measure, [query.column(name) for name in measure.columns])


def _figure(measure: Measure, looked_at: Sequence[Column]) -> tuple[Column, exp.Expr]:
    function = FUNCTIONS[measure.function]
    cells = [counted(column) for column in looked_at]
    if measure.function in _ERRORS:
        # The difference of two small or unsigned integers may not fit their own type.
        pairs = zip(looked_at, cells, strict=True)
        cells = [exp.cast(e, "int128") if c.type == "integer" else e for c, e in pairs]
    result = function.result(*looked_at)
    physical = looked_at[0].physical if result == "timestamp" else ""
    return Column(measure.name, result, physical=physical), function.expression(*cells)


def _lineage(query: Query) -> list[exp.Expr]:
    lineage = query.dataset.lineage
    generated_at, model_version, dataset_id = (
        text(part.value) if isinstance(part, Constant) else stored(query.column(part))
        for part in (lineage.generated_at, lineage.model_version, lineage.dataset_id)
    )
    if not query.measures:
        return [dataset_id, model_version, generated_at]
    newest = exp.Anonymous(this="row", expressions=[generated_at, model_version.copy(), dataset_id])
    return [
        exp.Anonymous(this="max", expressions=[newest]),
        exp.Anonymous(this="list", expressions=[exp.Distinct(expressions=[model_version])]),
    ]


def _condition(query: Query, where: Where | AnyOf) -> exp.Expr:
    if isinstance(where, AnyOf):
        among = [_condition(query, each) for each in where.conditions]
        return exp.paren(exp.or_(*among) if among else exp.false())
    column = query.column(where.column)
    if where.operator == "isnull":
        return _missing(column, wanted=bool(where.value))
    if where.operator in {"in", "not_in"}:
        return _listed(stored(column), where)
    if where.operator in _TEXT:
        return _texted(stored(column), where.operator)
    compared = _COMPARED[where.operator](this=stored(column), expression=exp.Placeholder())
    if where.operator in {"gt", "gte"}:
        # NaN is the greatest number to the engine, and nothing at all to the reader.
        return exp.and_(compared, *(exp.Not(this=each) for each in is_nan(column)))
    return compared


def _missing(column: Column, *, wanted: bool) -> exp.Expr:
    null = exp.Is(this=stored(column), expression=exp.Null())
    missing = exp.paren(exp.or_(null, *is_nan(column)))
    return missing if wanted else exp.Not(this=missing)


def _texted(cell: exp.Expr, operator: str) -> exp.Expr:
    arguments = [cell, exp.Placeholder()]
    if operator == "icontains":
        arguments = [exp.Lower(this=each) for each in arguments]
    return exp.Anonymous(this=_TEXT[operator], expressions=arguments)


def _listed(cell: exp.Expr, where: Where) -> exp.Expr:
    values = [exp.Placeholder() for _ in range(where.value)]  # type: ignore[call-overload]
    if not values:
        return exp.true() if where.operator == "not_in" else exp.false()
    among = exp.In(this=cell, expressions=values)
    if where.operator == "in":
        return among
    missing = exp.Is(this=cell.copy(), expression=exp.Null())
    return exp.paren(exp.or_(exp.Not(this=among), missing))


def _ordered(query: Query, sort: str, named: dict[str, exp.Expr]) -> exp.Expr:
    name = sort.removeprefix("-")
    by = named[name].copy() if name in named else counted(query.column(name))
    return exp.Ordered(this=by, desc=sort.startswith("-"), nulls_first=False)
