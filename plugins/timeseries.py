"""One item's forecasts and actuals over a period, day by day."""

from collections.abc import Mapping, Sequence

from app.plugin import (
    PERIOD,
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

_SHOWN = ("date", "forecast", "actual", "source", "model_version", "generated_at")


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``timeseries`` for a dataset with a time."""
    if dataset.time is None:
        return []
    lineage = dataset.lineage
    return [
        Endpoint(
            name="timeseries",
            path="/items/{id}/timeseries",
            answer=one_series,
            summary="Time series of one item",
            description="Ordered by date, both ends of the period included.",
            parameters=(
                Parameter("id", column="item_id", description="The item."),
                *PERIOD,
            ),
            returns={"item_id": Member(column="item_id"), "timeseries": Member(rows=_SHOWN)},
            columns={
                "item_id": dataset.keys[0],
                "date": dataset.time,
                "forecast": "forecast",
                "actual": "actual",
                "source": "source",
                "model_version": lineage.model_version,
                "generated_at": lineage.generated_at,
            },
            reads=("items",),
        )
    ]


def one_series(call: Call) -> Mapping[str, object]:
    """Give the rows of one item in a period; an empty list for a known item without any."""
    where = (Where("item_id", "eq", call["id"]), *call.within("date"))
    rows = call.run(Query(call.dataset, _SHOWN, where, sort=("date",)))
    if not rows:
        _check_known(call)
    return {"item_id": call["id"], "timeseries": rows}


def _check_known(call: Call) -> None:
    """Refuse an item that nobody lists: the dataset of items where there is one, else this one."""
    listing = call.others.get("items", call.dataset)
    key = listing.keys[0]
    known = call.runner(Query(listing, (key,), (Where(key, "eq", call["id"]),), limit=1))
    if not known:
        raise NotFoundError(f"No item {call['id']!r}.", item_id=call["id"])
