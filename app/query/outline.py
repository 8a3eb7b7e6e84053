"""Outlines: what is the same for all stretches of Queries that differ in their values. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from app.dataset import Column, Constant, Dataset
from app.query.query import Query, Sort
from app.query.rows import WideInteger
from app.query.types import ORDER

# Columns of a Table and whether each is falling; nulls and NaN come last both ways.
Order = tuple[tuple[str, bool], ...]

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


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A kind of stretch, in one order; compared by identity, so that it can be a key of caches.

    ``equal`` and ``bounds`` are the places of the conditions that the first columns are equal by
    and that bound the next one; ``sifted`` are those of what each row in between is asked, with the
    name of its column. ``kinds`` are the types that the values of each condition may have. ``rest``
    is what is left of the order to sort by. With ``backwards`` the last row of the stretch comes
    first. Names are those that the Table knows; ``lineage`` is
    ``dataset_id, model_version, generated_at``.
    """

    order: Order
    columns: tuple[Column, ...]
    lineage: tuple[str | Constant, ...]
    kinds: tuple[tuple[type, ...], ...]
    equal: tuple[int, ...]
    bounds: tuple[int, ...]
    sifted: Mapping[int, str | Constant]
    rest: Order
    backwards: bool


@lru_cache(maxsize=512)
def outline_of(
    read: tuple[Dataset, Order],
    asked: tuple[tuple[str, str], ...],
    select: tuple[str, ...],
    sort: tuple[Sort, ...],
) -> Outline | None:
    """Give the outline of what is ``asked``, as columns and operators, of a dataset in an order.

    None where its rows do not stand together, or that is not certain.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    dataset, order = read
    query = Query(dataset, select, sort=sort)
    equal, bounds = _searched(query, order, asked)
    fixed = {name for name, _ in order[: len(equal)]}
    rest = _settling(query, order, fixed)
    backwards = _backwards(query, rest, fixed)
    lineage = _lineage(query)
    if backwards is None or lineage is None:
        return None
    kinds = tuple(_kinds(query.column(name), operator) for name, operator in asked)
    sifted = {
        place: query.column(name).in_table
        for place, (name, _) in enumerate(asked)
        if place not in {*equal, *bounds}
    }
    names = select or tuple(column.name for column in dataset.columns)
    columns = tuple(query.column(name) for name in names)
    return Outline(order, columns, lineage, kinds, equal, bounds, sifted, rest, backwards)


def _lineage(query: Query) -> tuple[str | Constant, ...] | None:
    """Give the names in the Table of what each row says of itself; None where they do not tell."""
    lineage = query.dataset.lineage
    parts = (lineage.dataset_id, lineage.model_version, lineage.generated_at)
    columns = [query.column(part) for part in parts if isinstance(part, str)]
    if any(column.physical == _NANOSECONDS for column in columns):
        return None
    return tuple(
        part if isinstance(part, Constant) else query.column(part).in_table for part in parts
    )


def _searched(
    query: Query, order: Order, asked: Sequence[tuple[str, str]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give which conditions the first columns are equal by, and which bound the next one."""
    equal: list[int] = []
    names = [query.column(name).in_table for name, _ in asked]
    for column, _ in order:
        places = [place for place, name in enumerate(names) if name == column]
        same = [place for place in places if asked[place][1] == "eq"]
        if not same:
            return tuple(equal), tuple(place for place in places if asked[place][1] in ORDER)
        equal.append(same[0])
    return tuple(equal), ()


def _kinds(column: Column, operator: str) -> tuple[type, ...]:
    """Give the types of what a column is compared with as Python compares it."""
    # The engine has small letters of its own.
    return () if operator == "icontains" else kinds_of(column)


def kinds_of(column: Column) -> tuple[type, ...]:
    """Give the types of the values that a column can be searched for."""
    return () if column.physical == _NANOSECONDS else _SEARCHED.get(column.type, ())


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
