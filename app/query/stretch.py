"""Tells which Queries ask for rows that stand together in one order of their Table. Pure."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

from app.dataset import Dataset
from app.query.conditions import bound
from app.query.days import whole_days
from app.query.outline import Order, Outline, kinds_of, outline_of
from app.query.query import Query, Where, read_order
from app.values import per_request

KEYS = "keys"
_VALUE = attrgetter("value")


@per_request
class Stretch:
    """A Query as a stretch of its Table in one order: an outline with its values.

    ``equal`` are the values of the first columns, ``bounds`` what the next one is compared with,
    and ``after`` the values that the last row seen has in the columns behind the equal ones.
    ``sifted`` is what each row in between is asked. With ``time`` all rows are then put in the
    order of that column, those alike as they are, before some are left out.
    """

    outline: Outline
    equal: tuple[object, ...]
    bounds: tuple[Where, ...]
    sifted: tuple[Where, ...]
    after: tuple[object, ...]
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
    where: list[Where] = []
    asked: list[tuple[str, str]] = []
    for each in query.where:
        if not isinstance(each, Where):
            return None
        where.append(each)
        asked.append((each.column, each.operator))
    read = (query.dataset, order)
    outline = outline_of(read, tuple(asked), tuple(query.select), tuple(query.sort))
    if outline is None:
        return None
    if not _are_searched(outline, where):
        whole = whole_days(query)
        return None if whole is query else stretch(whole, order)
    equal = tuple(map(_VALUE, map(where.__getitem__, outline.equal)))
    bounds = tuple(map(where.__getitem__, outline.bounds))
    sifted = tuple(map(where.__getitem__, outline.sifted))
    after = _after(query, outline, equal) if query.after else ()
    if after is None:
        return None
    return Stretch(outline, equal, bounds, sifted, after, query.limit, query.offset)


def _are_searched(outline: Outline, where: Sequence[Where]) -> bool:
    for kinds, each in zip(outline.kinds, where, strict=True):
        for value in bound(each):
            if not _is_searched(kinds, value):
                return False
    return True


def _is_searched(kinds: tuple[type, ...], value: object) -> bool:
    return type(value) in kinds and getattr(value, "tzinfo", None) is None


def _after(query: Query, outline: Outline, equal: tuple[object, ...]) -> tuple[object, ...] | None:
    """Give where the rows go on, by the ``rest`` of the order; None where that does not tell."""
    rest = outline.rest
    seen = {
        query.dataset.stored_name(name): (query.column(name), value)
        for (name, _), value in zip(query.order, query.after, strict=True)
    }
    if not rest or any(name not in seen for name, _ in rest):
        return None
    fixed = {name: value for (name, _), value in zip(outline.order, equal, strict=False)}
    if any(seen[name][1] != value for name, value in fixed.items() if name in seen):
        return None
    going_on = [seen[name] for name, _ in rest]
    if not all(_is_searched(kinds_of(column), value) for column, value in going_on):
        return None
    return tuple(value for _, value in going_on)
