"""Turns a Query into one parametrised SELECT. Pure: no connection, no clock, no value in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column, Constant, Dataset
from app.query.measures import FUNCTIONS
from app.query.query import AnyOf, Measure, Query, Where

TABLE = "data"
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


def compile_query(query: Query) -> Statement:
    """Compile a Query; the text is made once for each shape of query.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    sql, columns = _compiled(query.dataset, _Shape.of(query))
    values = [value for each in query.conditions for value in _bound(each)]
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
            *(exp.alias_(each, column.name, quoted=True) for column, each in outputs),
            *_lineage(question),
        ]
    ).from_(exp.table_(TABLE, db="main", catalog=dataset.name, quoted=True))
    if shape.where:
        select = select.where(exp.and_(*(_condition(question, each) for each in shape.where)))
    if shape.measures and grouped:
        select = select.group_by(*(each.copy() for _, each in outputs[:grouped]))
    if shape.sort:
        named = {column.name: each for column, each in outputs}
        select = select.order_by(*(_ordered(question, each, named) for each in shape.sort))
    if shape.limited:
        select = select.limit(exp.Placeholder())
    if shape.offset:
        select = select.offset(exp.Placeholder())
    return select.sql(dialect=DuckDB), tuple(column for column, _ in outputs)


def _outputs(query: Query, window: str | None) -> Iterator[tuple[Column, exp.Expr]]:
    """Give what is answered: each column as the client sees it, and its expression."""
    if window is not None:
        column = query.column(query.dataset.time or "")
        start = exp.Anonymous(this="date_trunc", expressions=[_text(window), _stored(column)])
        yield Column("window", "date", physical="DATE"), exp.cast(start, "date")
    if not query.measures:
        names = query.select or [column.name for column in query.dataset.columns]
        yield from ((query.column(name), _shown(query.column(name))) for name in names)
        return
    yield from ((query.column(name), _shown(query.column(name))) for name in query.group_by)
    for measure in query.measures:
        looked_at = [query.column(name) for name in measure.columns]
        function = FUNCTIONS[measure.function]
        figure = function.expression(*(_number(column) for column in looked_at))
        yield Column(measure.name, function.result(*looked_at)), figure


def _lineage(query: Query) -> list[exp.Expr]:
    lineage = query.dataset.lineage
    generated_at, model_version, dataset_id = (
        _text(part.value) if isinstance(part, Constant) else _stored(query.column(part))
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
        return exp.paren(exp.or_(*(_condition(query, each) for each in where.conditions)))
    column = query.column(where.column)
    if where.operator == "isnull":
        return _missing(column, wanted=bool(where.value))
    if where.operator in {"in", "not_in"}:
        return _listed(_stored(column), where)
    if where.operator in _TEXT:
        return _texted(_stored(column), where.operator)
    compared = _COMPARED[where.operator](this=_stored(column), expression=exp.Placeholder())
    if where.operator in {"gt", "gte"}:
        # NaN is the greatest number to the engine, and nothing at all to the reader.
        return exp.and_(compared, *(exp.Not(this=each) for each in _nan(column)))
    return compared


def _missing(column: Column, *, wanted: bool) -> exp.Expr:
    null = exp.Is(this=_stored(column), expression=exp.Null())
    missing = exp.paren(exp.or_(null, *_nan(column)))
    return missing if wanted else exp.Not(this=missing)


def _texted(stored: exp.Expr, operator: str) -> exp.Expr:
    arguments = [stored, exp.Placeholder()]
    if operator == "icontains":
        arguments = [exp.Lower(this=each) for each in arguments]
    return exp.Anonymous(this=_TEXT[operator], expressions=arguments)


def _listed(stored: exp.Expr, where: Where) -> exp.Expr:
    values = [exp.Placeholder() for _ in range(where.value)]  # type: ignore[call-overload]
    if not values:
        return exp.true() if where.operator == "not_in" else exp.false()
    among = exp.In(this=stored, expressions=values)
    if where.operator == "in":
        return among
    missing = exp.Is(this=stored.copy(), expression=exp.Null())
    return exp.paren(exp.or_(exp.Not(this=among), missing))


def _ordered(query: Query, sort: str, named: dict[str, exp.Expr]) -> exp.Expr:
    name = sort.removeprefix("-")
    by = named[name].copy() if name in named else _stored(query.column(name))
    if query.dataset.has_column(name):
        by = _number(query.column(name))
    return exp.Ordered(this=by, desc=sort.startswith("-"), nulls_first=False)


def _stored(column: Column) -> exp.Expr:
    """Give the column as the Table holds it."""
    if isinstance(column.stored, Constant):
        return _text(column.stored.value)
    return exp.column(column.stored or column.name, quoted=True)


def _shown(column: Column) -> exp.Expr:
    """Give the column as the client is to see it: nanoseconds do not fit Python's own type."""
    if column.physical != "TIMESTAMP_NS":
        return _stored(column)
    text = exp.cast(_stored(column), "varchar")
    dated = exp.Anonymous(this="replace", expressions=[text, _text(" "), _text("T")])
    return exp.DPipe(this=dated, expression=_text("Z"))


def _number(column: Column) -> exp.Expr:
    """Give the column with NaN as null, which it counts as here and everywhere."""
    stored = _stored(column)
    for nan in _nan(column):
        return exp.Case(ifs=[exp.If(this=exp.Not(this=nan), true=stored)])
    return stored


def _nan(column: Column) -> list[exp.Expr]:
    return [exp.IsNan(this=_stored(column))] if column.nan else []


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)
