"""The filter grammar: ``column=v`` and ``column__op=v``, each name known beforehand. Pure."""

from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter

from app.dataset import Column, Dataset
from app.query.query import Where
from app.query.rows import NanoTime
from app.query.types import TYPES, read_value

MOST_FILTERS = 50
MOST_VALUES = 1_000

_LISTS = ("in", "not_in")
_NANOSECONDS = "TIMESTAMP_NS"


class Filters:
    """What can be asked of the columns of one dataset, by the names of parameters.

    A column is asked by its own name or by ``name__eq``; one that is called like a
    ``reserved`` parameter by the latter alone.
    """

    def __init__(self, dataset: Dataset, reserved: Collection[str]) -> None:
        self._known = {
            name: (column, operator)
            for column in dataset.columns
            if column.filterable
            for name, operator in _names(column)
            if name not in reserved
        }

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[tuple[str, Column, str]]:
        """Give each name with its column and operator."""
        return ((name, *asked) for name, asked in self._known.items())

    def read(self, name: str, texts: Sequence[str]) -> Where:
        """Read the condition that a parameter stands for, given as often as there are texts.

        Raises:
            ValueError: a text is no value of the column, or there are too many; says what is
                allowed.
        """
        column, operator = self._known[name]
        if operator in _LISTS:
            several = list(texts) if len(texts) > 1 else texts[0].split(",")
            if len(several) > MOST_VALUES:
                raise ValueError(f"at most {MOST_VALUES} values")
            return Where(column.name, operator, [read_cell(column, text) for text in several])
        if len(texts) > 1:
            raise ValueError("one value, given once")
        if operator == "isnull":
            return Where(column.name, operator, read_value("boolean", texts[0]))
        return Where(column.name, operator, read_cell(column, texts[0]))


def _names(column: Column) -> Iterator[tuple[str, str]]:
    operators = TYPES[column.type].operators
    if "eq" in operators:
        yield column.name, "eq"
    for operator in operators:
        yield f"{column.name}__{operator}", operator


def read_cell(column: Column, text: str) -> object:
    """Read the text of a parameter as a value of a column.

    Raises:
        ValueError: it is no value of the column's type, or finer than the column; says what is
            allowed.
    """
    value = read_value(column.type, text)
    if isinstance(value, NanoTime) and column.physical != _NANOSECONDS:
        raise ValueError(f"{TYPES[column.type].expected}, with six digits of a second at most")
    return value


def canonical_filters(where: Sequence[Where]) -> list[tuple[str, str, object]]:
    """Give the conditions in one form, in whatever order they came; each is asked once."""
    asked = [(each.column, each.operator, each.value) for each in where]
    return sorted(asked, key=itemgetter(0, 1))
