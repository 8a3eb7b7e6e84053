"""Tells which Queries ask for rows that stand together in the order of the keys. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile

from app.dataset import Column, Constant
from app.query.days import whole_days
from app.query.query import Query, Where
from app.query.rows import WideInteger
from app.query.types import ORDER

# What a key can be searched for by: what compares in Python as it does in the engine.
_SEARCHED: dict[str, tuple[type, ...]] = {
    "integer": (int, WideInteger),
    "string": (str,),
    "boolean": (bool,),
    "date": (date,),
    "timestamp": (datetime,),
}
# A column of nanoseconds compares as numbers, and is known as text.
_NANOSECONDS = "TIMESTAMP_NS"


@dataclass(frozen=True, slots=True)
class KeyRead:
    """A Query as a stretch of its Table in the order of the keys.

    ``equal`` are the values of the first keys, ``bounds`` what the next one is compared with, and
    ``after`` the values that the last row seen has in the keys behind the equal ones. With
    ``falling`` the last row of the stretch comes first. ``keys`` have the names that the Table
    knows them by; ``lineage`` is ``dataset_id, model_version, generated_at``.
    """

    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    lineage: tuple[str | Constant, ...]
    equal: tuple[object, ...]
    bounds: tuple[Where, ...]
    after: tuple[object, ...]
    falling: bool
    limit: int | None
    offset: int


def key_read(query: Query) -> KeyRead | None:
    """Give a Query as a stretch of its Table; None where it is none, or where that is not certain.

    Raises:
        LookupError: it names a column that the dataset does not serve.
    """
    if query.measures or query.group_by or query.window:
        return None
    query = whole_days(query)
    searched = _searched(query)
    if searched is None:
        return None
    equal, bounds = searched
    keys = query.dataset.keys
    rest = keys[len(equal) :]
    falling = _falling(query, rest)
    after = _after(query, dict(zip(keys, equal, strict=False)), rest)
    lineage = _lineage(query)
    if falling is None or after is None or lineage is None:
        return None
    names = query.select or [column.name for column in query.dataset.columns]
    return KeyRead(
        keys=tuple(str(query.column(key).stored or key) for key in keys),
        columns=tuple(query.column(name) for name in names),
        lineage=lineage,
        equal=equal,
        bounds=bounds,
        after=after,
        falling=falling,
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


def _searched(query: Query) -> tuple[tuple[object, ...], tuple[Where, ...]] | None:
    """Give the values that the first keys are equal to, and the bounds of the next one."""
    asked: dict[str, list[Where]] = {key: [] for key in query.dataset.keys}
    for each in query.where:
        if not isinstance(each, Where) or each.column not in asked:
            return None
        if not _is_searched(query.column(each.column), each.value):
            return None
        asked[each.column].append(each)
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


def _falling(query: Query, rest: Sequence[str]) -> bool | None:
    """Tell whether the rows are sorted by the keys in turn, falling; None where by neither."""
    fixed = {key for key in query.dataset.keys if key not in rest}
    order = [(query.column(name).name, falling) for name, falling in query.order]
    # No two rows have the same keys: what is sorted by behind them changes nothing.
    settling = [each for each in order if each[0] not in fixed][: len(rest)]
    ways = {falling for _, falling in settling}
    if [name for name, _ in settling] != list(rest) or len(ways) > 1:
        return None
    return True in ways


def _after(
    query: Query, equal: dict[str, object], rest: Sequence[str]
) -> tuple[object, ...] | None:
    """Give where the rows go on, by the keys of ``rest``; None where these do not tell."""
    if not query.after:
        return ()
    seen = dict(zip((name for name, _ in query.order), query.after, strict=True))
    if not rest or seen.keys() != {*equal, *rest}:
        return None
    if any(seen[key] != equal[key] for key in equal):
        return None
    if not all(_is_searched(query.column(key), seen[key]) for key in rest):
        return None
    return tuple(seen[key] for key in rest)
