"""Compiles a Comparison to Statements, and reads what they give. Pure: no connection.

A tree is grown in place: to copy it at each step takes longer than all the rest, with wide tables.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column
from app.query.cells import STORED, TABLE, catalog_of, comparable, counted, shown
from app.query.comparison import Compared, Comparison, Difference
from app.query.compile import Statement
from app.query.conditions import bound, condition, emptied
from app.query.days import whole_days
from app.query.query import Query
from app.query.rows import Rows

# What the sides are called in the text; where each has a Table of its own, its catalog too.
SIDES = ("a", "b")
_NUMERIC = {"integer": "int128", "number": "double", "decimal": ""}
_COUNTS = 4


def compare(comparison: Comparison, run: Callable[[Statement], Rows]) -> Compared:
    """Run a Comparison; without a limit of rows it only counts."""
    (figures,) = run(_figures(comparison)).cells
    only_a, only_b, different, same = map(_number, figures[:_COUNTS])
    beyond = only_a + only_b + different > comparison.offset
    rows = run(_rows(comparison)) if comparison.limit and beyond else None
    return Compared(
        *(only_a, only_b, different, same),
        columns=dict(_differences(comparison, figures[_COUNTS:])),
        rows=[] if rows is None else [_row(comparison, cells) for cells in rows.cells],
        more=rows is not None and rows.more,
    )


def _figures(comparison: Comparison) -> Statement:
    """Count the keys, and how each column differs over those on both sides."""
    places = range(len(comparison.columns))
    both = exp.not_(exp.or_(*map(_lacks, SIDES)))
    differs = _differs(comparison)
    select = [
        _count(_lacks("b")),
        _count(_lacks("a")),
        _count(exp.and_(both, differs)),
        _count(exp.and_(both, exp.not_(differs))),
    ]
    for place in places:
        select += [_count(exp.and_(both, _differs_at(place))), *_distance(comparison, place)]
    return _statement(comparison, _joined(comparison, select), len(select))


def _rows(comparison: Comparison) -> Statement:
    """Give what differs or is on one side only: keys, which sides have it, and their cells."""
    keys = [_coalesced(place) for place in range(len(comparison.keys))]
    columns = [comparison.b.column(name) for name in comparison.keys]
    select = [shown(*each) for each in zip(columns, keys, strict=True)]
    select += [exp.not_(_lacks(side)) for side in SIDES]
    for side, query in zip(SIDES, (comparison.a, comparison.b), strict=True):
        for place, name in enumerate(comparison.columns):
            select.append(shown(query.column(name), _cell(side, f"c{place}")))
    differs = exp.or_(*map(_lacks, SIDES), _differs(comparison))
    paged = _joined(comparison, select).where(differs, copy=False)
    if keys:
        paged.order_by(*keys, copy=False)
    paged.limit(exp.Placeholder(), copy=False).offset(exp.Placeholder(), copy=False)
    return _statement(comparison, paged, len(select), limit=comparison.limit)


def _statement(
    comparison: Comparison, select: exp.Select, width: int, *, limit: int | None = None
) -> Statement:
    values = [
        comparable(query.column(each.column), value)
        for query in map(whole_days, (comparison.a, comparison.b))
        for each in query.conditions
        for value in bound(each)
    ]
    if limit is not None:
        values += [limit + 1, comparison.offset]
    # Nobody asks these Statements for lineage: what is compared is known beforehand.
    stampless = select.select(exp.Null(), exp.Null(), copy=False)
    columns = tuple(Column(str(place)) for place in range(width))
    sql = stampless.sql(dialect=DuckDB, copy=False)
    return Statement(sql, tuple(values), columns, figures=True, limit=limit)


def _joined(comparison: Comparison, select: Sequence[exp.Expr]) -> exp.Select:
    a, b = (_side(comparison, side) for side in SIDES)
    keys = range(len(comparison.keys))
    # A side has one row at most where its rows have no key.
    names = [f"k{place}" for place in keys] or ["here"]
    same = [exp.EQ(this=_cell("a", name), expression=_cell("b", name)) for name in names]
    return (
        exp.Select(expressions=list(select))
        .from_(a.subquery("a", copy=False), copy=False)
        .join(b.subquery("b", copy=False), on=exp.and_(*same), join_type="full", copy=False)
    )


def _side(comparison: Comparison, side: str) -> exp.Select:
    """Give one side's rows; their columns have names of our own, whatever the Table calls them."""
    query = whole_days(comparison.a if side == "a" else comparison.b)
    catalog = catalog_of(side if comparison.apart else query.dataset.name)
    table = exp.table_(TABLE, db="main", catalog=catalog, quoted=True, alias=STORED)
    cells = [
        *(_named(query, name, f"k{place}") for place, name in enumerate(comparison.keys)),
        *(_named(query, name, f"c{place}") for place, name in enumerate(comparison.columns)),
    ]
    rows = exp.Select(expressions=[exp.alias_(exp.true(), "here"), *cells]).from_(table)
    asked = [condition(query, emptied(each)) for each in query.where]
    return rows.where(*asked) if asked else rows


def _named(query: Query, name: str, alias: str) -> exp.Expr:
    return exp.alias_(counted(query.column(name)), alias)


def _cell(side: str, name: str) -> exp.Expr:
    return exp.column(name, table=side)


def _lacks(side: str) -> exp.Expr:
    return exp.Is(this=_cell(side, "here"), expression=exp.Null())


def _coalesced(place: int) -> exp.Expr:
    a, b = (_cell(side, f"k{place}") for side in SIDES)
    return exp.Coalesce(this=a, expressions=[b])


def _differs(comparison: Comparison) -> exp.Expr:
    return exp.or_(exp.false(), *map(_differs_at, range(len(comparison.columns))))


def _differs_at(place: int) -> exp.Expr:
    a, b = (_cell(side, f"c{place}") for side in SIDES)
    return exp.NullSafeNEQ(this=a, expression=b)


def _count(condition_: exp.Expr) -> exp.Expr:
    counted_all = exp.Count(this=exp.Star())
    return exp.Filter(this=counted_all, expression=exp.Where(this=condition_))


def _distance(comparison: Comparison, place: int) -> list[exp.Expr]:
    """Give the mean of b - a and the greatest distance, for numbers."""
    column = comparison.b.column(comparison.columns[place])
    if column.type not in _NUMERIC:
        return [exp.Null(), exp.Null()]
    a, b = (_cell(side, f"c{place}") for side in SIDES)
    if wide := _NUMERIC[column.type]:
        # The difference of two may not fit their own type.
        a, b = exp.cast(a, wide), exp.cast(b, wide)
    difference: exp.Expr = exp.paren(exp.Sub(this=b, expression=a))
    if column.type == "number":
        finite = exp.Anonymous(this="isfinite", expressions=[difference.copy()])
        difference = exp.Case(ifs=[exp.If(this=finite, true=difference)])
    return [exp.Avg(this=difference), exp.Max(this=exp.Abs(this=difference.copy()))]


def _differences(
    comparison: Comparison, figures: Sequence[object]
) -> Iterator[tuple[str, Difference]]:
    for place, name in enumerate(comparison.columns):
        different, mean, most = figures[3 * place : 3 * place + 3]
        yield name, Difference(_number(different), mean, most)


def _row(
    comparison: Comparison, cells: Sequence[object]
) -> tuple[dict[str, object], dict[str, object] | None, dict[str, object] | None]:
    keys, columns = len(comparison.keys), len(comparison.columns)
    here_a, here_b = cells[keys : keys + 2]
    a = dict(zip(comparison.columns, cells[keys + 2 :], strict=False))
    b = dict(zip(comparison.columns, cells[keys + 2 + columns :], strict=True))
    by = dict(zip(comparison.keys, cells, strict=False))
    return by, a if here_a else None, b if here_b else None


def _number(cell: object) -> int:
    return int(str(cell))
