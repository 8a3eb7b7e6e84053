"""Exports of every dataset: all rows that fit, as one file."""

from collections.abc import Sequence

from app.plugin import (
    FORMATS,
    Call,
    Dataset,
    Endpoint,
    Export,
    Member,
    Parameter,
    Query,
    hookimpl,
    picking,
)

# More rows than any table has, and fewer than an engine can count.
_FURTHEST = 2**53 - 1


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``export`` for every dataset."""
    return [
        Endpoint(
            name="export",
            path="/rows.{format}",
            answer=all_rows,
            summary="All rows as one file",
            description="All that fit the filters, in one file that can be read by ranges.",
            parameters=(
                Parameter("format", choices=tuple(FORMATS)),
                *picking(dataset),
                Parameter("limit", "integer", "Most rows.", minimum=0, maximum=_FURTHEST),
                Parameter("bom", "boolean", "CSV for Excel: say that it is UTF-8.", default=False),
                Parameter("excel", "boolean", "CSV: no text begins as a formula.", default=False),
            ),
            returns={"data": Member(record=True, many=True)},
            generic=True,
            filters=True,
            media=tuple(FORMATS.values()),
        )
    ]


def all_rows(call: Call) -> Export:
    """Give what is to be in the file; it is made when nobody has made it before."""
    query = Query(
        call.dataset,
        call["select"] or (),
        call.where,
        sort=call["sort"] or (),
        limit=call["limit"],
    )
    return Export(query, call["format"], {"bom": call["bom"], "excel": call["excel"]})
