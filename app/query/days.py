"""Days asked of a column of timestamps: a day means all of it, not its midnight."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from app.query.query import AnyOf, Query, Where

# Up to and including a day is before the next one; after a day is from the next one on.
_NEXT_DAY = {"lte": "lt", "gt": "gte"}


def whole_days(query: Query) -> Query:
    """Give the Query with its days as the timestamps at which they begin or end."""
    where = tuple(
        [
            _whole(query, each)
            if isinstance(each, Where)
            else AnyOf(tuple(_whole(query, one) for one in each.conditions))
            for each in query.where
        ]
    )
    # A question without such days is most of them.
    return query if where == tuple(query.where) else replace(query, where=where)


def _whole(query: Query, where: Where) -> Where:
    day = where.value
    if where.operator not in _NEXT_DAY or not isinstance(day, date) or isinstance(day, datetime):
        return where
    if query.column(where.column).type != "timestamp":
        return where
    if day == date.max:
        return replace(where, value=datetime.combine(day, time.max))
    following = datetime.combine(day + timedelta(days=1), time())
    return replace(where, operator=_NEXT_DAY[where.operator], value=following)
