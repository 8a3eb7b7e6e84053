"""Figures of every dataset: counts, sums and the like, by columns and by calendar windows."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from app.plugin import (
    PAGE,
    WINDOWS,
    Call,
    Dataset,
    Endpoint,
    InvalidParameterError,
    Measure,
    Member,
    Parameter,
    Query,
    functions_of,
    hookimpl,
    is_scalar,
)

_FIGURES = "`count`, or `function:column`, answered as `function_column`."
_WINDOW = Parameter(
    "window",
    choices=WINDOWS,
    description="Also by this calendar window of the dataset's time, told by its first day.",
)
_SORT = Parameter(
    "sort",
    many=True,
    most=8,
    description="What is answered, by name; `-` for falling, nulls last both ways. The window "
    "and `group_by` follow.",
)


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``aggregate`` for every dataset; ``window`` where it has a time."""
    groups = tuple(column.name for column in dataset.columns if is_scalar(column))
    measures, counted = _measures(dataset), ("count",)
    windows = (_WINDOW,) if dataset.time else ()
    return [
        Endpoint(
            name="aggregate",
            path="/aggregate",
            answer=aggregate,
            summary="Figures, in all or by group",
            description="One record for each group; one in all where nothing is grouped by. "
            "Null and NaN are left out of a figure, and are one group.",
            parameters=(
                Parameter(
                    "group_by", many=True, choices=groups, most=16, description="By these columns."
                ),
                Parameter(
                    "measures", "string", _FIGURES, many=True, choices=measures, default=counted
                ),
                *windows,
                _SORT,
                *PAGE,
            ),
            returns={
                "data": Member(members=_members(dataset), many=True),
                "next": Member("string", nullable=True),
            },
            generic=True,
            filters=True,
        )
    ]


def aggregate(call: Call) -> Mapping[str, object]:
    """Give one page of figures by window and group.

    Raises:
        InvalidParameterError: two of the names are one, or the sort names what is not answered.
    """
    groups, window = call["group_by"] or (), call.values.get("window")
    measures = [Measure.read(text) for text in call["measures"]]
    answered = [
        *([("window", "window")] if window else []),
        *((name, "group_by") for name in groups),
        *((measure.name, "measures") for measure in measures),
    ]
    sort = call["sort"] or ()
    faults = [*_clashes(answered), *_unanswered(sort, [name for name, _ in answered])]
    if faults:
        told = "; ".join(f"{each['parameter']}: {each['message']}" for each in faults)
        raise InvalidParameterError(f"{told}.", errors=faults)
    page = call.page(
        Query(call.dataset, (), call.where, groups, measures, window, sort, call["limit"])
    )
    return {"data": page.rows, "next": page.next}


def _measures(dataset: Dataset) -> tuple[str, ...]:
    asked = (
        f"{function}:{column.name}"
        for column in dataset.columns
        for function in functions_of(column)
    )
    return ("count", *asked)


def _members(dataset: Dataset) -> Mapping[str, Member]:
    """Give what a record may hold; figures of columns are left out, for there are hundreds."""
    figures = {"count", *(Measure.read(text).name for text in _measures(dataset)), "window"}
    members = {
        column.name: Member(column=column.name, optional=True)
        for column in dataset.columns
        # Whether such a name stands for the column or the figure is not known beforehand.
        if is_scalar(column) and column.name not in figures
    }
    if not dataset.has_column("count"):
        members["count"] = Member("integer", optional=True)
    if dataset.time and not dataset.has_column("window"):
        members["window"] = Member("date", nullable=True, optional=True)
    return members


def _clashes(answered: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, str]]:
    """Find the names that are answered twice; beside each name stands its parameter."""
    seen: dict[str, str] = {}
    for name, parameter in answered:
        if name in seen:
            message = f"{name!r} is answered twice: by {seen[name]!r} and by {parameter!r}"
            yield {"parameter": parameter, "message": message, "allowed": "each name once"}
        seen[name] = parameter


def _unanswered(sort: Sequence[str], names: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Find what is sorted by and not answered."""
    for text in sort:
        if text in names or text.removeprefix("-") in names:
            continue
        close = get_close_matches(text.removeprefix("-"), names, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        message = f"{text!r} is not answered{hint}; allowed is {', '.join(names)}"
        yield {"parameter": "sort", "message": message, "allowed": ", ".join(names)}
