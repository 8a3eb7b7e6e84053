"""The workloads: what is asked of every target, and the values that it is asked with."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count

from tests.benchmarks.target import Values

FIRST_DAY = date(2024, 1, 1)
# There are 701 windows of 30 days in 730. That is a prime, so numbers that count up give each of
# them once before any comes again, and with an item each pair.
WINDOWS = 701
WINDOW_DAYS = 30
EXPORT_ITEMS = 137
EXPORT_ROWS = EXPORT_ITEMS * 730
_FAR = 2_654_435_761
_GOLDEN = 0.618_033_988_749_895


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of question.

    ``rows`` is how many an answer has. ``rated`` ones are also put by many clients at once.
    ``different`` is how many draws there are before one comes again; 0 is always the same one.
    """

    name: str
    title: str
    rows: int
    rated: bool = False
    different: int = 1_000_000


ALL = (
    Workload("empty", "an empty answer, the cheapest route there is", 1, rated=True, different=0),
    Workload("kept", "one item, 30 days: the same request again", 30, rated=True, different=0),
    Workload("range", "one item, 30 days: another item and window each time", 30, rated=True),
    Workload("lookup", "one row by its key: another one each time", 1, rated=True),
    Workload("summary", "six figures over all items, 30 days", 1, different=WINDOWS),
    Workload("page", "filtered by two columns, sorted by three, 100 rows", 100),
    Workload("arrow", f"{EXPORT_ROWS:,} rows as an Arrow stream", EXPORT_ROWS),
    Workload("csv", f"{EXPORT_ROWS:,} rows as CSV", EXPORT_ROWS),
    Workload("json", f"{EXPORT_ROWS:,} rows as JSON", EXPORT_ROWS),
)
NAMED = {workload.name: workload for workload in ALL}


def draws(workload: Workload, items: int) -> Iterator[Values]:
    """Give values for one request after another: the same to every target, no two alike."""
    numbers = count() if workload.different else iter(int, 1)
    return (draw(number, items) for number in numbers)


def draw(number: int, items: int) -> Values:
    """Give the values of one request."""
    far = number * _FAR
    start = FIRST_DAY + timedelta(days=far % WINDOWS)
    first = far % (items - EXPORT_ITEMS + 1) + 1
    return {
        "number": number % 10_000 + 1,
        "item": far % items + 1,
        "start": start,
        "end": start + timedelta(days=WINDOW_DAYS - 1),
        "least": f"{20 + 20 * (number * _GOLDEN % 1):.9f}",
        "first": first,
        "last": first + EXPORT_ITEMS - 1,
    }
