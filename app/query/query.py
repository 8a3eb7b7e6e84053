"""A Query: a question to one Dataset, free of SQL and of HTTP. Values only."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

from app.dataset import Column, Dataset
from app.values import per_request

Window = Literal["day", "week", "month", "quarter", "year"]
WINDOWS: tuple[Window, ...] = ("day", "week", "month", "quarter", "year")


# A name, ``-name``, or a name as it is and whether it is descending.
Sort = str | tuple[str, bool]


@per_request
class Where:
    """One condition; ``value`` is a list for ``in`` and ``not_in``, a bool for ``isnull``."""

    column: str
    operator: str
    value: object


@per_request
class AnyOf:
    """Conditions of which at least one holds."""

    conditions: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure over many rows, under ``name``.

    ``function`` is a name of ``app.query.measures``; ``columns`` are what it looks at
    (none for ``count``, two for errors of a forecast: forecast, then actual).
    """

    name: str
    function: str
    columns: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Measure":
        """Read ``count``, or ``function:column``, which is named ``function_column``."""
        # A column's name may hold a colon, a function's does not.
        function, _, column = text.partition(":")
        return cls(f"{function}_{column}", function, (column,)) if column else cls(text, text)


def read_order(sort: Sequence[Sort], names: Container[str]) -> list[tuple[str, bool]]:
    """Read what is sorted by as names, and whether each is descending.

    A name that begins with ``-`` itself is meant where there is no other.
    """
    return [
        each
        if isinstance(each, tuple)
        else (each, False)
        if each in names and each.removeprefix("-") not in names
        else (each.removeprefix("-"), each.startswith("-"))
        for each in sort
    ]


@per_request
class Query:
    """What is asked of one Dataset: rows by default, or figures where there are measures.

    ``sort`` holds names of what is answered, ``-name`` for descending; nulls come last both
    ways. ``after`` holds, for each name of the sort, what the last row seen had there (None for
    null): only rows beyond it are given. ``window`` groups by a calendar window of the
    dataset's ``time`` (weeks start on Monday) and answers it as a date under ``window``.
    """

    dataset: Dataset
    select: Sequence[str] = ()
    where: Sequence[Where | AnyOf] = ()
    group_by: Sequence[str] = ()
    measures: Sequence[Measure] = ()
    window: Window | None = None
    sort: Sequence[Sort] = ()
    limit: int | None = None
    offset: int = 0
    after: Sequence[object] = ()

    @property
    def order(self) -> list[tuple[str, bool]]:
        """Give the sort as names of what is answered, and whether each is descending."""
        answered = (*self.group_by, *(each.name for each in self.measures), *self._windows)
        columns = (column.name for column in self.dataset.columns)
        return read_order(self.sort, set(answered if self.measures else columns))

    @property
    def _windows(self) -> tuple[str, ...]:
        return () if self.window is None else ("window",)

    @property
    def conditions(self) -> tuple[Where, ...]:
        """Give every single condition, in the order in which its value is bound."""
        return tuple(
            one
            for each in self.where
            for one in (each.conditions if isinstance(each, AnyOf) else (each,))
        )

    def column(self, name: str) -> Column:
        """Give a column of the dataset.

        Raises:
            LookupError: the dataset serves no such column.
        """
        column = self.dataset.column(name)
        if column is None:
            raise LookupError(f"dataset {self.dataset.name!r} has no column {name!r}")
        return column
