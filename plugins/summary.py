"""How good the forecasts were over a period: totals and errors, in all and by window."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from app.plugin import (
    PERIOD,
    Call,
    Dataset,
    Endpoint,
    Measure,
    Member,
    Parameter,
    Query,
    Where,
    Window,
    hookimpl,
)

_MEASURES = (
    Measure("total_forecast", "sum", ("forecast",)),
    Measure("total_actual", "sum", ("actual",)),
    Measure("mape", "mape", ("forecast", "actual")),
    Measure("wape", "wape", ("forecast", "actual")),
    Measure("bias", "bias", ("forecast", "actual")),
    Measure("items_count", "count_distinct", ("item_id",)),
)
_FIGURES = {
    "total_forecast": Member("number", nullable=True, description="Sum of all forecasts."),
    "total_actual": Member("number", nullable=True, description="Sum of the known actuals."),
    "mape": Member("number", nullable=True, description="Mean absolute percentage error."),
    "wape": Member("number", nullable=True, description="Sum of errors by sum of actuals, in %."),
    "bias": Member("number", nullable=True, description="Sum of differences by actuals, in %."),
    "items_count": Member("integer", description="Items with rows in the period."),
}
_PERIOD = {"start": Member("date"), "end": Member("date")}


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``summary`` for a dataset with a time."""
    if dataset.time is None:
        return []
    return [
        Endpoint(
            name="summary",
            path="/forecasts/summary",
            answer=summarize,
            summary="Forecast accuracy over a period",
            description="Rows without an actual count in total_forecast only.",
            parameters=(
                *PERIOD,
                Parameter("item_ids", column="item_id", many=True, description="Only these items."),
                Parameter("window", choices=("day", "week", "month"), description="Also by this."),
            ),
            returns={
                "summary": Member(members=_FIGURES),
                "period": Member(members=_PERIOD),
                "windows": Member(members={**_PERIOD, **_FIGURES}, many=True, optional=True),
            },
            columns={
                "item_id": dataset.keys[0],
                "date": dataset.time,
                "forecast": "forecast",
                "actual": "actual",
            },
        )
    ]  # fmt: skip


def summarize(call: Call) -> Mapping[str, object]:
    """Give the figures of a period; with ``window`` also those of each window in it."""
    where = list(call.within("date"))
    if call["item_ids"] is not None:
        where.append(Where("item_id", "in", call["item_ids"]))
    figures = call.run(Query(call.dataset, where=where, measures=_MEASURES)).first()
    body = {"summary": figures, "period": {name: call[name] for name in _PERIOD}}
    window: Window | None = call["window"]
    if window is None:
        return body
    windows = Query(call.dataset, (), where, (), _MEASURES, window, sort=("window",))
    period = (call["start"], call["end"])
    return {**body, "windows": [_windowed(row, window, period) for row in call.runner(windows)]}


def _windowed(
    row: Mapping[str, object], window: Window, period: tuple[date, date]
) -> dict[str, object]:
    """Give the figures of one window with its days, as far as they lie in the period."""
    figures = dict(row)
    first = figures.pop("window")
    assert isinstance(first, date)  # noqa: S101 - the engine's word for a window's first day
    last = _last_day(first, window)
    return {"start": max(first, period[0]), "end": min(last, period[1]), **figures}


def _last_day(first: date, window: Window) -> date:
    if window == "week":
        # The calendar ends within a week.
        return first + min(timedelta(days=6), date.max - first)
    if window == "month":
        return first.replace(day=monthrange(first.year, first.month)[1])
    return first
