"""Tells which Queries ask for rows that stand together in one order of their Table. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile

from app.dataset import Column, Constant, Dataset
from app.query.days import whole_days
from app.query.query import Query, Where, read_order
from app.query.rows import WideInteger
from app.query.types import ORDER

# Columns of a Table and whether each is falling; nulls and NaN come last both ways.
Order = tuple[tuple[str, bool], ...]

KEYS = "keys"
# What can be searched for: what compares in Python as it does in the engine.
_SEARCHED: dict[str, tuple[type, ...]] = {
    "integer": (int, WideInteger),
    "number": (float,),
    "decimal": (Decimal,),
    "string": (str,),
    "boolean": (bool,),
    "date": (date,),
    "timestamp": (datetime,),
}
# A column of nanoseconds compares as numbers, and is known as text.
_NANOSECONDS = "TIMESTAMP_NS"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A Query as a stretch of its Table in one order.

    ``equal`` are the values of the first columns, ``bounds`` what the next one is compared with,
    and ``after`` the values that the last row seen has in the columns behind the equal ones. With
    ``backwards`` the last row of the stretch comes first. ``order`` has the names that the Table
    knows; ``lineage`` is ``dataset_id, model_version, generated_at``. With ``time`` all rows are
    then put in the order of that column, those alike as they are, before some are left out.
    """

    order: Order
    columns: tuple[Column, ...]
    lineage: tuple[str | Constant, ...]
    equal: tuple[object, ...]
    bounds: tuple[Where, ...]
    after: tuple[object, ...]
    backwards: bool
    limit: int | None
    offset: int
    time: str | None = None


@lru_cache(maxsize=512)
def orders_of(dataset: Dataset) -> Mapping[str, Order]:
    """Give the orders in which a Table is kept, by name: that of the keys, then those prepared.

    Each leaves no choice: the keys complete it.
    """
    keys = tuple((dataset.stored_name(key), False) for key in dataset.keys)
    names = {dataset.stored_name(column.name) for column in dataset.columns}
    prepared = {
        name: tuple(read_order(order, names)) for name, order in dataset.prepare.orders.items()
    }
    return {
        KEYS: keys,
        **{
            name: (*order, *(key for key in keys if key[0] not in dict(order)))
            for name, order in prepared.items()
        },
    }


def stretch(query: Query, order: Order) -> Stretch | None:
    """Give a Query as a stretch in that order; None where it is none, or that is not certain.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    if query.measures or query.group_by or query.window:
        return None
    query = whole_days(query)
    searched = _searched(query, order)
    if searched is None:
        return None
    equal, bounds = searched
    fixed = {name: value for (name, _), value in zip(order, equal, strict=False)}
    rest = _settling(query, order, fixed)
    backwards = _backwards(query, rest, fixed)
    after = _after(query, fixed, rest)
    lineage = _lineage(query)
    if backwards is None or after is None or lineage is None:
        return None
    names = query.select or [column.name for column in query.dataset.columns]
    return Stretch(
        order=order,
        columns=tuple(query.column(name) for name in names),
        lineage=lineage,
        equal=equal,
        bounds=bounds,
        after=after,
        backwards=backwards,
        limit=query.limit,
        offset=query.offset,
    )


def _lineage(query: Query) -> tuple[str | Constant, ...] | None:
    """Give the names in the Table of what each row says of itself; None where they do not tell."""
    lineage = query.dataset.lineage
    parts = (lineage.dataset_id, lineage.model_version, lineage.generated_at)
    columns = [query.column(part) for part in parts if isinstance(part, str)]
    if any(column.physical == _NANOSECONDS for column in columns):
        return None
    return tuple(
        part if isinstance(part, Constant) else query.column(part).stored or part for part in parts
    )


def _searched(query: Query, order: Order) -> tuple[tuple[object, ...], tuple[Where, ...]] | None:
    """Give the values that the first columns are equal to, and the bounds of the next one."""
    asked: dict[str, list[Where]] = {name: [] for name, _ in order}
    for each in query.where:
        if not isinstance(each, Where):
            return None
        column = query.column(each.column)
        name = column.stored or column.name
        if name not in asked or not _is_searched(column, each.value):
            return None
        asked[str(name)].append(each)
    equal = tuple(each[0].value for each in takewhile(_is_equal, asked.values()))
    others = list(asked.values())[len(equal) :]
    bounds = others[0] if others else []
    if any(others[1:]) or any(each.operator not in ORDER for each in bounds):
        return None
    return equal, tuple(bounds)


def _is_equal(conditions: Sequence[Where]) -> bool:
    return [each.operator for each in conditions] == ["eq"]


def _is_searched(column: Column, value: object) -> bool:
    known = type(value) in _SEARCHED.get(column.type, ()) and column.physical != _NANOSECONDS
    return known and not (isinstance(value, datetime) and value.tzinfo is not None)


def _settling(
    query: Query, order: Sequence[tuple[str, bool]], fixed: Mapping[str, object]
) -> Order:
    """Give what is left of an order to sort by: no two rows have the same keys."""
    open_keys = {query.dataset.stored_name(key) for key in query.dataset.keys} - fixed.keys()
    rest = []
    for name, falling in order:
        if not open_keys:
            break
        if name not in fixed:
            rest.append((name, falling))
            open_keys.discard(name)
    return tuple(rest)


def _backwards(query: Query, rest: Order, fixed: Mapping[str, object]) -> bool | None:
    """Tell whether the rows are sorted by ``rest``, or against it; None where by neither."""
    by = [(query.dataset.stored_name(name), falling) for name, falling in query.order]
    asked = _settling(query, by, fixed)
    if asked == rest:
        return False
    turned = tuple((name, not falling) for name, falling in rest)
    return True if asked == turned and not _may_lack(query, rest) else None


def _may_lack(query: Query, rest: Order) -> bool:
    """Tell whether nulls or NaN, which are last both ways, may stand in these columns."""
    dataset = query.dataset
    certain = {*dataset.keys, *dataset.lineage.columns}
    columns = {dataset.stored_name(each.name): each for each in dataset.columns}
    return any(
        columns[name].nan or not (columns[name].required or columns[name].name in certain)
        for name, _ in rest
    )


def _after(query: Query, fixed: Mapping[str, object], rest: Order) -> tuple[object, ...] | None:
    """Give where the rows go on, by the columns of ``rest``; None where these do not tell."""
    if not query.after:
        return ()
    seen = {
        query.dataset.stored_name(name): (query.column(name), value)
        for (name, _), value in zip(query.order, query.after, strict=True)
    }
    if not rest or any(name not in seen for name, _ in rest):
        return None
    if any(seen[name][1] != value for name, value in fixed.items() if name in seen):
        return None
    if not all(_is_searched(*seen[name]) for name, _ in rest):
        return None
    return tuple(seen[name][1] for name, _ in rest)
