"""The Generation: a numbered Registry with its Tables, open for questions. It never changes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from time import time

from app.dataset import Dataset, Deadlines
from app.engine import DuckEngine, Index, Turns, Work, in_time
from app.errors import NoRoomError
from app.formats import Batches
from app.generation.manifest import Fact
from app.generation.timing import Timing
from app.query import (
    Query,
    Rows,
    Stamp,
    Statement,
    Stretch,
    Where,
    compile_export,
    compile_query,
    compile_summary,
    export_stretches,
    merge,
    orders_of,
    stretch,
)
from app.registry import Registry
from app.table import Table

# Rows that a small question may look at.
_MOST_SMALL = 10_000
# Rows that are read from an index at a door: more of them would hold up whoever comes next.
_MOST_AT_A_DOOR = 1_000


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything a request can see; held by plain reference to the end of its body.

    ``datasets`` are the served ones, each completed by its Table's columns. ``shape`` is
    equal for Generations that have the same routes and documents. ``findings`` and
    ``degraded`` are as in its Manifest. ``deadlines`` say how fresh each dataset is. Questions
    of few rows have ``small``, an engine with memory of its own.
    """

    name: str
    number: int
    committed_at: datetime
    registry: Registry
    tables: Mapping[str, Table]
    datasets: Mapping[str, Dataset]
    findings: Mapping[str, tuple[Fact, ...]]
    degraded: Mapping[str, Fact]
    shape: str
    deadlines: Mapping[str, Deadlines]
    engine: DuckEngine
    small: DuckEngine
    indexes: Mapping[str, Mapping[str, Index]]
    turns: Turns

    def run(self, query: Query, timing: Timing | None = None) -> Rows:
        """Run a Query on this Generation's Tables, by an index where one answers the same."""
        timing = timing or Timing()
        rows = self._merged(query, timing) if query.measures else self._stretch(query, timing)
        if rows is not None:
            return rows
        self.turns.desk.leave()
        statement = timing.of("plan", compile_query, query)
        return self._asked(query, statement, timing)

    def _stretch(self, query: Query, timing: Timing) -> Rows | None:
        """Read rows that stand together in one of the orders."""
        indexes = self.indexes[query.dataset.name]
        sifted: list[tuple[str, Stretch]] = []
        for name, order in orders_of(query.dataset).items():
            if name not in indexes:
                continue
            asked = timing.of("plan", stretch, query, order)
            if asked is not None and asked.sifted:
                # What a search finds goes first.
                sifted.append((name, asked))
            elif asked is not None:
                rows = self._read(indexes[name], name, asked, timing)
                if rows is not None:
                    return rows
        read = (self._read(indexes[name], name, asked, timing) for name, asked in sifted)
        return next((rows for rows in read if rows is not None), None)

    def _read(self, index: Index, name: str, asked: Stretch, timing: Timing) -> Rows | None:
        if self.turns.desk.hurried:
            rows = timing.of("engine", index.read, asked, _MOST_AT_A_DOOR)
        else:
            rows = timing.of("engine", index.read, asked)
        if rows is not None:
            timing.read(name)
        return rows

    def _merged(self, query: Query, timing: Timing) -> Rows | None:
        """Make figures of rows that stand together in a rollup; they bring their lineage."""
        asked = timing.of("plan", merge, query)
        indexes = self.indexes[query.dataset.name]
        if asked is None or asked.rollup.table not in indexes:
            return None
        name = asked.rollup.table
        rows = self._read(indexes[name], name, asked.stretch, timing)
        return None if rows is None else timing.of("engine", asked.figures, rows)

    def stamp(self, query: Query, timing: Timing | None = None) -> Stamp:
        """Give the lineage of all rows that fit a Query: figures bring none of their own."""
        if not query.where:
            return Stamp.of_versions(self.tables[query.dataset.name].versions)
        self.turns.desk.leave()
        summary = compile_summary(Query(query.dataset, where=query.where))
        return self._asked(query, summary, timing or Timing()).stamp

    def _asked(self, query: Query, statement: Statement, timing: Timing) -> Rows:
        timing.read(statement.table)
        return timing.of("engine", self._run, query, statement, timing)

    def _run(self, query: Query, statement: Statement, work: Work) -> Rows:
        if self._is_small(query) and not self.small.queue.full:
            # What is more than it looked takes the memory of all others.
            with suppress(NoRoomError):
                return self.small.run(statement, work)
        return self.engine.run(statement, work)

    def _is_small(self, query: Query) -> bool:
        """Tell whether a question is about the rows of one key, and these are few."""
        dataset, table = query.dataset, self.tables[query.dataset.name]
        first = dataset.keys[0]
        asks = any(
            isinstance(each, Where) and (each.column, each.operator) == (first, "eq")
            for each in query.where
        )
        return asks and table.rows_of_each(dataset.stored_name(first)) <= _MOST_SMALL

    @contextmanager
    def export(self, query: Query) -> Iterator[tuple[Batches, Stamp]]:
        """Give all rows of a Query, and the Stamp of them together.

        Raises:
            BusyError: too many exports are being made.
            ExportTooSlowError: it takes longer than one may.
            NoRoomError: there is not enough memory, nor room to spill to.
        """
        seconds = self.turns.export_seconds
        self.turns.desk.leave()
        with self.turns.exports.turn():
            found = self._cut(query)
            if found is not None:
                with in_time(found[0], (self.engine.queue.watchdog, seconds)) as batches:
                    yield batches, found[1]
                return
            stamp = self.engine.summary(compile_summary(query), seconds)
            with self.engine.stream(compile_export(query), seconds) as batches:
                yield batches, stamp

    def _cut(self, query: Query) -> tuple[Batches, Stamp] | None:
        """Cut the rows of an Export out of an index."""
        indexes = self.indexes[query.dataset.name]
        found = (
            indexes[name].cut(asked) for name, asked in export_stretches(query) if name in indexes
        )
        return next((each for each in found if each is not None), None)

    def freshness(self, dataset: str) -> tuple[str, float]:
        """Give ``fresh``, ``warn`` or ``error`` for that dataset now, and until when it holds."""
        return self.deadlines[dataset].status(time())
