"""The list of items: what there is, by category or by a part of the name."""

from collections.abc import Mapping, Sequence

from app.plugin import (
    AnyOf,
    Call,
    Dataset,
    Endpoint,
    Measure,
    Member,
    Parameter,
    Query,
    Where,
    hookimpl,
)

_MOST = 10_000
_FURTHEST = 2**53 - 1
_SHOWN = ("id", "name", "category", "sku")


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``items``."""
    return [
        Endpoint(
            name="items",
            path="/items",
            answer=list_items,
            summary="List items",
            description="Items ordered by id, with how many there are in all.",
            parameters=(
                Parameter("category", description="Only items of this category."),
                Parameter("q", description="Only items with this in their name or sku, any case."),
                Parameter("limit", "integer", default=_MOST, minimum=1, maximum=_MOST),
                Parameter("offset", "integer", default=0, minimum=0, maximum=_FURTHEST),
            ),
            returns={"items": Member(rows=_SHOWN), "total": Member("integer")},
            columns={"id": dataset.keys[0], "name": "name", "category": "category", "sku": "sku"},
        )
    ]


def list_items(call: Call) -> Mapping[str, object]:
    """Give one page of the items and the count of all that fit."""
    where: list[Where | AnyOf] = []
    if call["category"] is not None:
        where.append(Where("category", "eq", call["category"]))
    if call["q"] is not None:
        named = (Where(column, "icontains", call["q"]) for column in ("name", "sku"))
        where.append(AnyOf(tuple(named)))
    page = Query(
        call.dataset, _SHOWN, where, sort=("id",), limit=call["limit"], offset=call["offset"]
    )
    items = call.run(page)
    total = len(items)
    if call["offset"] or total == call["limit"]:
        # Asked apart, and not through the call: rows that are not shown lend no lineage.
        counted = call.runner(Query(call.dataset, where=where, measures=(Measure("n", "count"),)))
        total = int(str((counted.first() or {"n": 0})["n"]))
    return {"items": items, "total": total}
