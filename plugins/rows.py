"""The rows of every dataset: filtered, sorted, page by page; and one row by its keys."""

from collections.abc import Mapping, Sequence

from app.plugin import (
    COMMON,
    PAGE,
    Call,
    Dataset,
    Endpoint,
    Member,
    NotFoundError,
    Parameter,
    Query,
    Where,
    hookimpl,
    picking,
)


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``rows`` and ``record`` for every dataset."""
    select, sort = picking(dataset)
    counted = Parameter("count", "boolean", "Also say how many fit in all.", default=False)
    return [
        Endpoint(
            name="rows",
            path="/rows",
            answer=some_rows,
            summary="Rows, page by page",
            description="All that fit the filters; `next` is the address of the following page.",
            parameters=(select, sort, *PAGE, counted),
            returns={
                "data": Member(record=True, many=True),
                "next": Member("string", nullable=True),
                "total": Member("integer", optional=True),
            },
            generic=True,
            filters=True,
        ),
        Endpoint(
            name="record",
            path="/record",
            answer=one_row,
            summary="One row by its keys",
            parameters=(select, *_by_key(dataset)),
            returns={"data": Member(record=True)},
            generic=True,
        ),
    ]


def some_rows(call: Call) -> Mapping[str, object]:
    """Give one page of the rows that fit, and with ``count`` how many do."""
    sort, select = call["sort"] or (), call["select"] or ()
    page = call.page(Query(call.dataset, select, call.where, sort=sort, limit=call["limit"]))
    total = {"total": call.count(call.where)} if call["count"] else {}
    return {"data": page.rows, "next": page.next, **total}


def one_row(call: Call) -> Mapping[str, object]:
    """Give the row with these keys.

    Raises:
        NotFoundError: there is none.
    """
    asked = _by_key(call.dataset)
    keys = {each.column: call[each.name] for each in asked}
    where = [Where(key, "eq", value) for key, value in keys.items()]
    row = call.run(Query(call.dataset, call["select"] or (), where, limit=1)).first()
    if row is None:
        raise NotFoundError("No row has these keys.", keys=keys)
    return {"data": row}


def _by_key(dataset: Dataset) -> list[Parameter]:
    """Give a parameter for each key; one that is called like another parameter gets its `__eq`."""
    taken = {"select", *(each.name for each in COMMON)}
    return [
        Parameter(f"{key}__eq" if key in taken else key, column=key, required=True)
        for key in dataset.keys
    ]
