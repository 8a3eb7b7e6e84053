"""Tells which Queries ask for rows that stand together in one order of their Table. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile

from app.dataset import Column, Constant, Dataset
from app.query.days import whole_days
from app.query.query import Query, Sort, Where, read_order
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is the same for all Queries that differ in their values only.

    ``kinds`` are the types that each condition's value may have; ``equal`` and ``bounds`` are the
    places of the conditions they are made of.
    """

    kinds: tuple[tuple[type, ...], ...]
    equal: tuple[int, ...]
    bounds: tuple[int, ...]
    rest: Order
    backwards: bool
    columns: tuple[Column, ...]
    lineage: tuple[str | Constant, ...]


def stretch(query: Query, order: Order) -> Stretch | None:
    """Give a Query as a stretch in that order; None where it is none, or that is not certain.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    if query.measures or query.group_by or query.window:
        return None
    where = [each for each in whole_days(query).where if isinstance(each, Where)]
    if len(where) < len(query.where):
        return None
    asked = tuple((each.column, each.operator) for each in where)
    plan = _plan((query.dataset, order), asked, tuple(query.select), tuple(query.sort))
    if plan is None or not all(map(_is_searched, plan.kinds, (each.value for each in where))):
        return None
    equal = tuple(where[place].value for place in plan.equal)
    after = _after(query, order, equal, plan.rest) if query.after else ()
    if after is None:
        return None
    return Stretch(
        order=order,
        columns=plan.columns,
        lineage=plan.lineage,
        equal=equal,
        bounds=tuple(where[place] for place in plan.bounds),
        after=after,
        backwards=plan.backwards,
        limit=query.limit,
        offset=query.offset,
    )


@lru_cache(maxsize=512)
def _plan(
    read: tuple[Dataset, Order],
    asked: tuple[tuple[str, str], ...],
    select: tuple[str, ...],
    sort: tuple[Sort, ...],
) -> _Plan | None:
    """Plan what is ``asked``, as columns and operators, of a dataset in an order."""
    dataset, order = read
    query = Query(dataset, select, sort=sort)
    searched = _searched(query, order, asked)
    if searched is None:
        return None
    equal, bounds = searched
    fixed = {name for name, _ in order[: len(equal)]}
    rest = _settling(query, order, fixed)
    backwards = _backwards(query, rest, fixed)
    lineage = _lineage(query)
    if backwards is None or lineage is None:
        return None
    kinds = tuple(_kinds(query.column(name)) for name, _ in asked)
    names = select or tuple(column.name for column in dataset.columns)
    columns = tuple(query.column(name) for name in names)
    return _Plan(kinds, equal, bounds, rest, backwards, columns, lineage)


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


def _searched(
    query: Query, order: Order, asked: Sequence[tuple[str, str]]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Give which conditions the first columns are equal by, and which bound the next one."""
    places: dict[str | Constant, list[int]] = {name: [] for name, _ in order}
    for place, (name, _) in enumerate(asked):
        column = query.column(name)
        known = places.get(column.stored or column.name)
        if known is None:
            return None
        known.append(place)
    operators = [[asked[place][1] for place in each] for each in places.values()]
    count = len(list(takewhile(lambda each: each == ["eq"], operators)))
    others = list(places.values())[count:]
    bounds = others[0] if others else []
    if any(others[1:]) or any(asked[place][1] not in ORDER for place in bounds):
        return None
    return tuple(place for (place,) in list(places.values())[:count]), tuple(bounds)


def _kinds(column: Column) -> tuple[type, ...]:
    return () if column.physical == _NANOSECONDS else _SEARCHED.get(column.type, ())


def _is_searched(kinds: tuple[type, ...], value: object) -> bool:
    return type(value) in kinds and not (isinstance(value, datetime) and value.tzinfo is not None)


def _settling(query: Query, order: Sequence[tuple[str, bool]], fixed: Set[str]) -> Order:
    """Give what is left of an order to sort by: no two rows have the same keys."""
    open_keys = {query.dataset.stored_name(key) for key in query.dataset.keys} - fixed
    rest = []
    for name, falling in order:
        if not open_keys:
            break
        if name not in fixed:
            rest.append((name, falling))
            open_keys.discard(name)
    return tuple(rest)


def _backwards(query: Query, rest: Order, fixed: Set[str]) -> bool | None:
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


def _after(
    query: Query, order: Order, equal: tuple[object, ...], rest: Order
) -> tuple[object, ...] | None:
    """Give where the rows go on, by the columns of ``rest``; None where these do not tell."""
    seen = {
        query.dataset.stored_name(name): (query.column(name), value)
        for (name, _), value in zip(query.order, query.after, strict=True)
    }
    if not rest or any(name not in seen for name, _ in rest):
        return None
    fixed = {name: value for (name, _), value in zip(order, equal, strict=False)}
    if any(seen[name][1] != value for name, value in fixed.items() if name in seen):
        return None
    going_on = [seen[name] for name, _ in rest]
    if not all(_is_searched(_kinds(column), value) for column, value in going_on):
        return None
    return tuple(value for _, value in going_on)
