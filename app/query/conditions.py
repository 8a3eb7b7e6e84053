"""Conditions as SQL: what a Query asks of its rows, each value a placeholder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from app.dataset import Column
from app.query.cells import counted, is_nan, stored
from app.query.query import AnyOf, Query, Where

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


def condition(query: Query, where: Where | AnyOf) -> exp.Expr:
    """Give one condition; where a list is asked, its value is how many there are."""
    if isinstance(where, AnyOf):
        among = [condition(query, each) for each in where.conditions]
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


def beyond(query: Query) -> list[exp.Expr]:
    """Give what holds for the rows that come after ``query.after`` in the order of its sort.

    A row comes after another if it is equal in the first columns of the sort and beyond it in
    the next one; nulls are last both ways. The placeholders are those of ``beyond_values``.
    """
    steps = _steps(query)
    if not steps:
        return []
    ways = [
        exp.and_(*(before.same() for before in steps[:place]), step.further())
        for place, step in enumerate(steps)
        if step.known
    ]
    beyond_all = exp.paren(exp.or_(*ways)) if ways else exp.false()
    # Implied by the rest, but it alone lets the engine pass over whole blocks.
    return [steps[0].from_here(), beyond_all] if steps[0].known else [beyond_all]


def beyond_values(query: Query) -> list[tuple[Column, object]]:
    """Give the columns and values that ``beyond`` has placeholders for, in their order."""
    steps = _steps(query)
    values = [(step.column, step.value) for step in steps]
    first = values[:1] if steps and steps[0].known else []
    return first + [
        values[each]
        for place, step in enumerate(steps)
        if step.known
        for each in range(place + 1)
        if steps[each].known
    ]


@dataclass(frozen=True, slots=True)
class _Step:
    """One column of a sort, and the value that the last row seen had in it."""

    column: Column
    value: object
    descending: bool
    certain: bool

    @property
    def known(self) -> bool:
        return self.value is not None

    def same(self) -> exp.Expr:
        if not self.known:
            return exp.Is(this=counted(self.column), expression=exp.Null())
        return exp.EQ(this=counted(self.column), expression=exp.Placeholder())

    def further(self) -> exp.Expr:
        return self._or_null(exp.LT if self.descending else exp.GT)

    def from_here(self) -> exp.Expr:
        return self._or_null(exp.LTE if self.descending else exp.GTE)

    def _or_null(self, compared: type[exp.Binary]) -> exp.Expr:
        beyond = compared(this=counted(self.column), expression=exp.Placeholder())
        if self.certain:
            return beyond
        return exp.paren(exp.or_(beyond, exp.Is(this=counted(self.column), expression=exp.Null())))


def _steps(query: Query) -> list[_Step]:
    if not query.after:
        return []
    certain = {*query.dataset.keys, *query.dataset.lineage.columns}
    return [
        _Step(query.column(name), value, descending, name in certain)
        for (name, descending), value in zip(query.order, query.after, strict=True)
    ]


def bound(where: Where) -> Sequence[object]:
    """Give the values of a condition as they are bound, one for each placeholder of its text."""
    if where.operator == "isnull":
        return ()
    if where.operator in {"in", "not_in"}:
        return tuple(where.value)  # type: ignore[arg-type]
    return (where.value,)


def emptied(where: Where | AnyOf) -> Where | AnyOf:
    """Give the condition with, for a value, only what its text depends on."""
    if isinstance(where, AnyOf):
        return AnyOf(tuple(emptied(each) for each in where.conditions))  # type: ignore[misc]
    if where.operator == "isnull":
        return where
    return replace(where, value=len(bound(where)))
