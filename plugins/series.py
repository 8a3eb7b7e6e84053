"""Series of every dataset with a time: chart-ready lists, gaps filled, few points if asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from itertools import accumulate

from app.plugin import (
    WINDOWS,
    Call,
    Column,
    Dataset,
    Endpoint,
    InvalidParameterError,
    Measure,
    Member,
    Parameter,
    Query,
    Rows,
    Where,
    Window,
    functions_of,
    hookimpl,
    result_of,
    thin,
    window_number,
    window_start,
)

_MOST = 100_000
_MOST_THINNED = 250_000
_NUMERIC = ("integer", "number", "decimal")

Values = list[object]
Cells = Sequence[tuple[object, ...]]
Fault = Mapping[str, str]

_VALUE = (
    "A column, which is its sum at each time; `count`; or `function:column`, which is answered as "
    "`function_column`."
)
_WINDOW = (
    "Put together by this calendar window, which stands at its first day, also where `from` lies "
    "inside it. Weeks start on Monday."
)
_FILL = (
    "Give every window between the first and the last, or from `from` to `until`, and this where a "
    "value is missing; `previous` is the last known one. Needs `window` where times are no days."
)
_POINTS = "Most points: those that keep the shape of all values (LTTB)."


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``series`` where the dataset has a time."""
    if dataset.time is None:
        return []
    return [
        Endpoint(
            name="series",
            path="/series",
            answer=series,
            summary="Series for a chart",
            description="Lists of one length, by rising time. Rows of the same time are put "
            "together; rows without one are left out.",
            parameters=_parameters(dataset, dataset.time),
            returns={
                "time": Member("string", many=True, description="Each time."),
                "values": Member("json", many=True, named=True, description="As long as `time`."),
            },
            generic=True,
            filters=True,
        )
    ]


def series(call: Call) -> Mapping[str, object]:
    """Give the times, and what each value is at them.

    Raises:
        InvalidParameterError: parameters do not fit each other, or there are too many points.
    """
    measures = [_measure(call.dataset, text) for text in call["value"]]
    names = [measure.name for measure in measures]
    _refuse(list(_faults(call, names)))
    rows = _put_together(call, measures)
    cells = _whole(call, rows.cells)
    times, *values = ([row[n] for row in cells] for n in range(len(rows.columns)))
    fill = _FILLS.get(call["fill"], _as_it_is)
    values = [fill(*each) for each in zip(rows.columns[1:], values, strict=True)]
    if call["points"] is not None:
        kept = thin([_position(each) for each in times], values, call["points"])
        times, *values = ([each[place] for place in kept] for each in (times, *values))
    return {"time": times, "values": dict(zip(names, values, strict=True))}


def _parameters(dataset: Dataset, time: str) -> tuple[Parameter, ...]:
    choices = _choices(dataset)
    return (
        Parameter("value", "string", _VALUE, required=True, many=True, choices=choices, most=16),
        Parameter("from", column=time, description="The first time."),
        Parameter("until", column=time, description="The end, not in it."),
        Parameter("window", "string", _WINDOW, choices=WINDOWS),
        Parameter("fill", "string", _FILL, choices=tuple(_FILLS)),
        Parameter("points", "integer", _POINTS, minimum=3, maximum=10_000),
    )


def _choices(dataset: Dataset) -> tuple[str, ...]:
    sums = [column.name for column in dataset.columns if column.type in _NUMERIC]
    figures = [
        f"{function}:{column.name}"
        for column in dataset.columns
        for function in functions_of(column)
        if result_of(function, column) in _NUMERIC
    ]
    return tuple(dict.fromkeys((*sums, "count", *figures)))


def _measure(dataset: Dataset, text: str) -> Measure:
    column = dataset.column(text)
    if column is not None and column.type in _NUMERIC:
        return Measure(text, "sum", (text,))
    return Measure.read(text)


def _faults(call: Call, names: Sequence[str]) -> Iterator[Fault]:
    """Find parameters that do not fit each other."""
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        yield _fault("value", f"{twice[0]!r} is asked twice", "each name once")
    start, until = call["from"], call["until"]
    if start is not None and until is not None and _moment(until) < _moment(start):
        yield _fault("until", f"the series starts at {start}", f"{start} or later")
    if call["fill"] is not None and _step(call) is None:
        yield _fault("fill", "times that are no days need a window to be filled", "with 'window'")


def _fault(parameter: str, message: str, allowed: str) -> Fault:
    return {
        "parameter": parameter,
        "message": f"{message}; allowed is {allowed}",
        "allowed": allowed,
    }


def _refuse(errors: Sequence[Fault]) -> None:
    if errors:
        told = "; ".join(f"{each['parameter']}: {each['message']}" for each in errors)
        raise InvalidParameterError(f"{told}.", errors=errors)


def _most(call: Call) -> int:
    return _MOST if call["points"] is None else _MOST_THINNED // len(call["value"])


def _refuse_beyond(call: Call, size: int) -> None:
    if size > _most(call):
        message = f"there are more than {_most(call)} points"
        _refuse([_fault("window", message, "a coarser 'window', fewer times, or 'points'")])


def _put_together(call: Call, measures: Sequence[Measure]) -> Rows:
    """Give a row for each time: the time, then every value."""
    dataset, window, moment = call.dataset, call["window"], str(call.dataset.time)
    bounds = [Where(moment, "gte", call["from"]), Where(moment, "lt", call["until"])]
    where = [
        *call.where,
        Where(moment, "isnull", value=False),
        *(each for each in bounds if each.value is not None),
    ]
    # A value may be called like the time; these names are not.
    named = [replace(measure, name=f"{moment}.{n}") for n, measure in enumerate(measures)]
    groups, sort = ((moment,), moment) if window is None else ((), "window")
    rows = call.run(Query(dataset, (), where, groups, named, window, (sort,), _most(call)))
    _refuse_beyond(call, len(rows) + rows.more)
    return rows


def _step(call: Call) -> Window | None:
    """Give the window that times are apart by, if there is one."""
    column = call.dataset.column(str(call.dataset.time))
    daily: Window | None = "day" if column is not None and column.type == "date" else None
    return call["window"] or daily


def _whole(call: Call, cells: Cells) -> Cells:
    """Give a row for every window where gaps are to be filled; a new one without values."""
    step = _step(call)
    if call["fill"] is None or step is None:
        return cells
    known = {window_number(_moment(row[0]), step): row[1:] for row in cells}
    axis = _axis(call, step, list(known))
    _refuse_beyond(call, len(axis))
    missing = (None,) * len(call["value"])
    return [(window_start(number, step), *known.get(number, missing)) for number in axis]


def _axis(call: Call, step: Window, found: Sequence[int]) -> range:
    """Give the numbers of all windows: from the first to the last found, or of those asked for."""
    starts, ends = [*found[:1]], [*found[-1:]]
    if call["from"] is not None:
        starts.append(window_number(_moment(call["from"]), step))
    if call["until"] is not None:
        end = _moment(call["until"])
        number = window_number(end, step)
        # A window that only begins where the series ends is not in it.
        ends.append(number - (end == datetime.combine(window_start(number, step), time())))
    return range(min(starts), max(ends) + 1) if starts and ends else range(0)


def _moment(value: object) -> datetime:
    """Give a time of any type as a timestamp, which may cut nanoseconds off."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(str(value).removesuffix("Z"))


def _position(value: object) -> float:
    return (_moment(value) - datetime.min).total_seconds()  # noqa: DTZ901 - UTC, as all of them


def _as_it_is(_: Column, values: Values) -> Values:
    return values


def _zero(column: Column, values: Values) -> Values:
    zero: object = 0
    if column.type == "decimal":
        scale = column.physical.rpartition(",")[2].removesuffix(")")
        zero = Decimal(0).scaleb(-int(scale))
    return [zero if each is None else each for each in values]


def _previous(_: Column, values: Values) -> Values:
    return list(accumulate(values, _known))


def _known(last: object, value: object) -> object:
    return last if value is None else value


_FILLS: Mapping[str, Callable[[Column, Values], Values]] = {
    "null": _as_it_is,
    "zero": _zero,
    "previous": _previous,
}
