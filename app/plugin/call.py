"""A Call: one use of an endpoint, and all that it can ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.dataset import Dataset
from app.errors import GenerationGoneError, InvalidParameterError
from app.query import NO_STAMP, Compared, Comparison, Measure, Query, Rows, Stamp, Where
from app.table import NO_TABLE, Fact, Table
from app.values import per_request


@per_request
class Page:
    """Some rows of an answer, and the address of those that follow; None at the end."""

    rows: Rows
    next: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after these values; and how the address after others is written."""

    after: tuple[object, ...] = ()
    address: Callable[[tuple[object, ...]], str] = str


_FIRST = Place()


def none_kept(number: int) -> tuple[Dataset, Table]:
    """Give nothing of a kept Generation: there is none."""
    raise GenerationGoneError(f"Generation {number} is not kept.", generation=number)


def none_compared(comparison: Comparison) -> Compared:
    """Compare nothing: there is no engine."""
    raise NotImplementedError(comparison)


@dataclass(slots=True)
class Call:
    """One use of an endpoint: its dataset, the parsed parameters, and how to ask.

    ``dataset`` has its columns under the endpoint's own names. ``others`` holds the datasets
    that the endpoint ``reads``, by option; one that the registry does not name is absent.
    ``where`` are the conditions of the filters, ``table`` what is known of the dataset's
    content, and ``history`` gives the same of every kept Generation, newest first. ``kept``
    gives the dataset and its Table as the kept Generation of that number has them.
    """

    dataset: Dataset
    values: Mapping[str, Any]
    others: Mapping[str, Dataset]
    runner: Callable[[Query], Rows]
    where: Sequence[Where] = ()
    table: Table = NO_TABLE
    history: Callable[[], Sequence[Fact]] = tuple
    kept: Callable[[int], tuple[Dataset, Table]] = none_kept
    comparer: Callable[[Comparison], Compared] = none_compared
    stamper: Callable[[Query], Stamp] = lambda _: NO_STAMP
    place: Place = _FIRST
    stamp: Stamp = NO_STAMP
    next: str | None = None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a checked parameter, of its own type
        """Give the value of a parameter; None where it was left out and has no default."""
        return self.values[name]

    def within(self, column: str) -> tuple[Where, Where]:
        """Give the conditions of the call's period on a column, both ends included.

        Raises:
            InvalidParameterError: the period ends before it starts.
        """
        start, end = self["start"], self["end"]
        if start > end:
            message, allowed = f"the period starts on {start}", f"{start} or later"
            error = {"parameter": "end", "message": message, "allowed": allowed}
            raise InvalidParameterError("The period ends before it starts.", errors=[error])
        return Where(column, "gte", start), Where(column, "lte", end)

    def run(self, query: Query) -> Rows:
        """Run a Query; rows of the call's own dataset give the answer its lineage."""
        rows = self.runner(query)
        if query.dataset is self.dataset:
            # Figures bring no lineage of their own, but for those that are made of a rollup.
            alone = query.measures and rows.stamp is NO_STAMP
            lent = self.stamper(query) if alone else rows.stamp
            self.stamp = self.stamp.joined(lent)
        return rows

    def count(self, where: Sequence[Any]) -> int:
        """Count the rows of the call's dataset that fit; they lend no lineage."""
        counted = self.runner(Query(self.dataset, where=where, measures=(Measure("n", "count"),)))
        return int(str((counted.first() or {"n": 0})["n"]))

    def page(self, query: Query) -> Page:
        """Run a Query from where the call's cursor points on, in an order that leaves no choice.

        The keys, or what figures are grouped by, complete the sort. A limit is needed.
        """
        rows, last = self._figures(query) if query.measures else self._rows(query)
        self.next = self.place.address(last) if rows.more else None
        return Page(rows, self.next)

    def compare(self, comparison: Comparison) -> Compared:
        """Run a Comparison; its rows go on where the call's cursor points. It lends no lineage."""
        passed = self._passed()
        compared = self.comparer(replace(comparison, offset=passed))
        last = (passed + len(compared.rows),)
        self.next = self.place.address(last) if compared.more else None
        return compared

    def _passed(self) -> int:
        """Count the rows before this page, where pages are counted from the first."""
        (offset,) = self.place.after or (0,)
        return int(str(offset))

    def _figures(self, query: Query) -> tuple[Rows, tuple[object, ...]]:
        """Give some figures, counted from the first: a Generation never changes below them."""
        passed = self._passed()
        named = {name for name, _ in query.order}
        windows = ("window",) if query.window else ()
        rest = [(name, False) for name in (*windows, *query.group_by) if name not in named]
        rows = self.run(replace(query, sort=(*query.sort, *rest), offset=passed))
        return rows, (passed + len(rows),)

    def _rows(self, query: Query) -> tuple[Rows, tuple[object, ...]]:
        """Give some rows, and the values of the sort in the last one."""
        named = {name for name, _ in query.order}
        rest = [(key, False) for key in self.dataset.keys if key not in named]
        query = replace(query, sort=(*query.sort, *rest), after=self.place.after)
        shown = list(query.select) or [column.name for column in self.dataset.columns]
        order = [name for name, _ in query.order]
        needed = [*shown, *(name for name in order if name not in shown)]
        rows = self.run(replace(query, select=needed))
        last = rows.cells[-1] if rows else ()
        return rows.only(shown), tuple(last[needed.index(name)] for name in order) if last else ()
