"""Runs Statements on DuckDB: one instance for the Tables of one Generation, in a shut box."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb

from app.engine.cells import column_reader, read_cells
from app.engine.patient import patiently
from app.engine.queue import Queue, Work
from app.engine.sql import quoted_name, quoted_text
from app.engine.stream import limited, refusals, stream
from app.errors import AnswerTooLargeError
from app.formats import Batches
from app.query import NO_STAMP, Rows, Stamp, Statement, catalog_of

_FETCHED_ROWS = 2_000
# What a cell costs beside its text, and what an answer should have at most: exports have no end.
_CELL_BYTES = 16
_MOST_BYTES = 64 << 20
# A small question takes up to 8 MiB, for what it reads, and four are asked at once.
_PARTS = 4
_SHUT = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)

# Interrupts by the function that it is given, in its block.
_Limit = Callable[[Callable[[], object]], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one instance may use: threads, bytes of memory, and a folder to spill to."""

    threads: int
    memory_bytes: int
    spill: Path

    def parted(self) -> tuple["EngineLimits", "EngineLimits"]:
        """Give a part of the memory to one instance and two to another; one is left."""
        part = self.memory_bytes // _PARTS
        return replace(self, memory_bytes=part), replace(self, memory_bytes=2 * part)

    def left(self) -> "EngineLimits":
        """Give the part that is left beside the instance of two."""
        return replace(self, memory_bytes=self.memory_bytes // 2)


def connect(limits: EngineLimits) -> duckdb.DuckDBPyConnection:
    """Open an in-memory instance with these limits, in UTC."""
    connection = duckdb.connect(":memory:")
    # Without GLOBAL a cursor would show the time zone of the host.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute(f"SET threads = {limits.threads:d}")
    connection.execute(f"SET memory_limit = '{limits.memory_bytes:d}B'")
    # Two instances that spill into one folder remove each other's files.
    own = limits.spill / f"{os.getpid()}-{secrets.token_hex(4)}"
    connection.execute(f"SET temp_directory = {quoted_text(str(own))}")
    if not duckdb.__version__.startswith("1."):
        # DuckDB 2 keeps eight threads for I/O otherwise, whatever `threads` says.
        connection.execute("SET async_threads = 1")
    return connection


class DuckEngine:
    """The Tables of one Generation; safe to use from many threads.

    ``tables`` gives the file of each by its dataset.

    It is never closed: dropping the last reference is safe while cursors run, ``close()``
    is not. Files that are unlinked meanwhile stay readable.

    Raises:
        FileNotFoundError: a Table file is gone.
    """

    def __init__(self, tables: Mapping[str, Path], limits: EngineLimits, queue: Queue) -> None:
        self.tables, self.limits, self.queue = tables, limits, queue
        # Its own threads have the priority of the one that starts them.
        self._connection = patiently(connect, limits)
        for name, path in tables.items():
            where, catalog = quoted_text(str(path)), quoted_name(catalog_of(name))
            try:
                self._connection.execute(f"ATTACH {where} AS {catalog} (READ_ONLY)")
            except duckdb.IOException as error:
                raise FileNotFoundError(path.name) from error
        for setting in _SHUT:
            self._connection.execute(setting)

    def answers(self) -> bool:
        """Tell whether the engine answers at all; waits for no turn."""
        try:
            with self._connection.cursor() as cursor:
                return cursor.execute("SELECT 1").fetchall() == [(1,)]
        except duckdb.Error:
            return False

    def run(self, statement: Statement, work: Work | None = None) -> Rows:
        """Run a Statement when its turn comes.

        ``work`` is what was done before for the same question.

        Raises:
            AnswerTooLargeError: the rows are more than an answer should hold.
            BusyError: too many questions are being worked on.
            QuestionTooSlowError: it takes longer than one may.
            FigureOutOfRangeError: no number can hold a figure.
            NoRoomError: there is not enough memory, nor room to spill to.
        """
        with self.queue.turn():
            limit = partial(self.queue.limit, work or Work())
            return patiently(self._rows, statement, limit)

    def summary(self, statement: Statement, seconds: float) -> Stamp:
        """Give the lineage of an export's rows, within so many seconds; it takes no turn.

        Raises:
            ExportTooSlowError: it takes longer.
            NoRoomError: there is not enough memory, nor room to spill to.
        """
        return self._rows(statement, partial(limited, (self.queue.watchdog, seconds))).stamp

    def _rows(self, statement: Statement, limit: _Limit) -> Rows:
        # A DuckDB connection serves one thread at a time; a cursor is its own connection.
        with self._connection.cursor() as cursor, limit(cursor.interrupt), refusals():
            cursor.execute(statement.sql, statement.values)
            kinds = [each[1] for each in cursor.description]
            cells = _fetched(cursor, len(kinds))
        more = statement.limit is not None and len(cells) > statement.limit
        cells = cells[: statement.limit]
        width = len(statement.columns)
        readers = [column_reader(*each) for each in zip(statement.columns, kinds, strict=False)]
        read = read_cells(readers, [row[:width] for row in cells])
        lineage = ([row[place] for row in cells] for place in range(width, len(kinds)))
        stamp = NO_STAMP if statement.figures else Stamp.of_columns(*lineage)
        return Rows(statement.columns, read, stamp, more)

    @contextmanager
    def stream(self, statement: Statement, seconds: float) -> Iterator[Batches]:
        """Give a whole result in batches, within so many seconds; it takes no turn.

        Raises:
            ExportTooSlowError: the block takes longer.
            FigureOutOfRangeError: no number can hold a figure.
            NoRoomError: there is not enough memory, nor room to spill to.
        """
        with (
            self._connection.cursor() as cursor,
            stream(cursor, statement, (self.queue.watchdog, seconds)) as batches,
        ):
            yield batches


def _fetched(cursor: duckdb.DuckDBPyConnection, width: int) -> list[tuple[object, ...]]:
    """Fetch the rows, as long as they are not more than an answer should hold."""
    rows: list[tuple[object, ...]] = []
    size = 0
    while some := cursor.fetchmany(_FETCHED_ROWS):
        rows += some
        texts = (cell for row in some for cell in row if isinstance(cell, str | bytes))
        size += len(some) * width * _CELL_BYTES + sum(map(len, texts))
        if size > _MOST_BYTES:
            raise AnswerTooLargeError(
                f"The answer would have more than {_MOST_BYTES >> 20} MiB; ask for fewer rows or"
                " columns, or for an export."
            )
        if len(some) < _FETCHED_ROWS:
            break
    return rows
