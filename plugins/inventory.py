"""The stock of one item: its newest row, or the newest not after a day."""

from collections.abc import Mapping, Sequence

from app.plugin import (
    Call,
    Dataset,
    Endpoint,
    Member,
    NotFoundError,
    Parameter,
    Query,
    Where,
    hookimpl,
)

_SHOWN = ("current_stock", "reorder_point", "safety_stock", "last_updated")


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``inventory``; ``date`` where the dataset has a time."""
    dated = dataset.time is not None
    day = Parameter("date", "date", "The newest row not after this day.")
    return [
        Endpoint(
            name="inventory",
            path="/inventory/{id}",
            answer=newest_stock,
            summary="Stock of one item",
            parameters=(
                Parameter("id", column="item_id", description="The item."),
                *([day] if dated else []),
            ),
            returns={
                "item_id": Member(column="item_id"),
                **{name: Member(column=name) for name in _SHOWN},
            },
            columns={
                "item_id": dataset.keys[0],
                **({"date": dataset.time} if dataset.time else {}),
                **{name: name for name in _SHOWN},
            },
        )
    ]


def newest_stock(call: Call) -> Mapping[str, object]:
    """Give the newest row of one item.

    Raises:
        NotFoundError: the item has no row, or none that old.
    """
    where = [Where("item_id", "eq", call["id"])]
    day = call.values.get("date")
    if day is not None:
        where.append(Where("date", "lte", day))
    sort = ("-date",) if call.dataset.time is not None else ("-last_updated",)
    row = call.run(Query(call.dataset, _SHOWN, where, sort=sort, limit=1)).first()
    if row is None:
        until = f" on or before {day}" if day is not None else ""
        raise NotFoundError(f"No stock of item {call['id']!r}{until}.", item_id=call["id"])
    return {"item_id": call["id"], **row}
