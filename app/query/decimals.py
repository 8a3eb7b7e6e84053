"""Decimals asked of a column of fewer digits: the same rows, by a value the column can hold."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Context, Decimal

from app.dataset import Column
from app.query.query import AnyOf, Query, Where

_NOTHING = AnyOf(())
# Digits that no value of a parameter needs more of.
_EXACT = Context(200)
# Between two values of the column, all that is greater is greater than the lower one.
_BETWEEN = {"gt": "gt", "gte": "gt", "lt": "lte", "lte": "lte"}


def exact_decimals(query: Query) -> Query:
    """Give the Query with each decimal condition as one on values that the column can hold."""
    if not any(query.column(each.column).type == "decimal" for each in query.conditions):
        return query
    where: list[Where | AnyOf] = []
    for each in query.where:
        if isinstance(each, AnyOf):
            several = [one for part in each.conditions for one in _exact(query, part).conditions]
            where.append(AnyOf(tuple(several)))
        else:
            where.append(_exact(query, each))
    return replace(query, where=where)


def _exact(query: Query, where: Where) -> AnyOf:
    """Give conditions of which one holds where the given one does."""
    column = query.column(where.column)
    if column.type != "decimal" or where.operator == "isnull":
        return AnyOf((where,))
    if where.operator in {"in", "not_in"}:
        values: Sequence[object] = where.value  # type: ignore[assignment]
        held = [_scaled(column, value) for value in values if _held(column, value)]
        return AnyOf((replace(where, value=held),))
    if _held(column, where.value):
        return AnyOf((replace(where, value=_scaled(column, where.value)),))
    return _compared(column, where)


def _compared(column: Column, where: Where) -> AnyOf:
    assert isinstance(where.value, Decimal)  # noqa: S101 - what else is not held by a decimal
    known = Where(where.column, "isnull", value=False)
    if where.operator == "eq":
        return _NOTHING
    if where.operator == "ne":
        return AnyOf((known, Where(where.column, "isnull", value=True)))
    width, scale = _size(column)
    floor = _scaled(column, where.value)
    assert isinstance(floor, Decimal)  # noqa: S101 - as above
    if floor.adjusted() >= width - scale:
        # Beyond every value that the column can hold.
        greater = where.operator in {"gt", "gte"}
        return AnyOf((known,)) if greater == (where.value < 0) else _NOTHING
    return AnyOf((replace(where, operator=_BETWEEN[where.operator], value=floor),))


def _held(column: Column, value: object) -> bool:
    """Tell whether a column can hold a value; other kinds of values compare as they are."""
    if not isinstance(value, Decimal):
        return True
    width, scale = _size(column)
    plain = value.normalize(_EXACT)
    return -int(plain.as_tuple().exponent) <= scale and plain.adjusted() < width - scale


def _scaled(column: Column, value: object) -> object:
    """Give a decimal with as many digits as the column has, or the next lower one."""
    if not isinstance(value, Decimal):
        return value
    return value.quantize(Decimal(1).scaleb(-_size(column)[1]), ROUND_FLOOR, _EXACT)


def _size(column: Column) -> tuple[int, int]:
    width, _, scale = column.physical.removeprefix("DECIMAL(").removesuffix(")").partition(",")
    return int(width), int(scale)
