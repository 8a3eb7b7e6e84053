"""The calendar windows, counted: which one a day lies in, and where each begins. Pure."""

from datetime import date

from app.query.query import Window

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def window_number(day: date, window: Window) -> int:
    """Give how many windows come before the one that a day lies in, from the first year on."""
    if window in _DAYS:
        # The first day of the calendar is a Monday.
        return (day.toordinal() - 1) // _DAYS[window]
    return (day.year * 12 + day.month - 1) // _MONTHS[window]


def window_start(number: int, window: Window) -> date:
    """Give the first day of the window with that number."""
    if window in _DAYS:
        return date.fromordinal(number * _DAYS[window] + 1)
    year, month = divmod(number * _MONTHS[window], 12)
    return date(year, month + 1, 1)
