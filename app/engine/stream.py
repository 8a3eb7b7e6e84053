"""Streams the result of a Statement as Arrow batches, in constant memory and limited time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

import duckdb
import pyarrow as pa

from app.engine.watch import Watchdog
from app.errors import ExportTooSlowError, FigureOutOfRangeError, NoRoomError
from app.formats import JSON_TEXT, WIDE_INTEGER, Batches, marked
from app.query import Statement

# Many rows cost little for each, few keep wide ones within the memory.
BATCH_ROWS = 16_384
_NO_MEMORY = "This needs more memory or room than there is."


@contextmanager
def refusals() -> Iterator[None]:
    """Say in our own words why the engine gives no result; its text may show values.

    Raises:
        FigureOutOfRangeError: no number can hold a figure.
        NoRoomError: there is not enough memory, nor room to spill to.
    """
    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        raise FigureOutOfRangeError("A figure is greater than any number.") from error
    except duckdb.OutOfMemoryException as error:
        raise NoRoomError(_NO_MEMORY) from error


@contextmanager
def stream(
    cursor: duckdb.DuckDBPyConnection, statement: Statement, limit: tuple[Watchdog, float]
) -> Iterator[Batches]:
    """Give the result in batches; the fields tell what Arrow has no type for.

    Raises:
        ExportTooSlowError: the block takes longer than so many seconds.
        FigureOutOfRangeError: no number can hold a figure.
        NoRoomError: there is not enough memory, nor room to spill to.
    """
    with limited(limit, cursor.interrupt) as late, refusals():
        result = _asked(cursor, statement)
        kinds = [each[1] for each in result.description]
        reader = result.to_arrow_reader(BATCH_ROWS)
        fields = [_marked(*each) for each in zip(reader.schema, kinds, strict=True)]
        yield Batches(pa.schema(fields), _even(_batches(reader, late)))


@contextmanager
def in_time(batches: Batches, limit: tuple[Watchdog, float]) -> Iterator[Batches]:
    """Give batches that are made without the engine, within so many seconds.

    Raises:
        ExportTooSlowError: the block takes longer.
    """
    with limited(limit, _nothing) as late:
        yield Batches(batches.schema, _until(batches.batches, late))


@contextmanager
def limited(limit: tuple[Watchdog, float], interrupt: Callable[[], object]) -> Iterator[Event]:
    """Have an export interrupted, in the block, when it takes more than so many seconds.

    Raises:
        ExportTooSlowError: it was.
    """
    watchdog, seconds = limit
    refusal = ExportTooSlowError(f"It takes more than {seconds:g} seconds.")
    with watchdog.limit(seconds, interrupt, refusal) as late:
        yield late


def _nothing() -> None:
    """Interrupt what looks at the time by itself."""


def _asked(cursor: duckdb.DuckDBPyConnection, statement: Statement) -> Any:  # noqa: ANN401 - of two types
    # DuckDB 1 streams no relation that has values, and DuckDB 2 nothing but relations.
    if duckdb.__version__.startswith("1."):
        return cursor.execute(statement.sql, statement.values)
    return cursor.sql(statement.sql, params=statement.values)


def _batches(reader: pa.RecordBatchReader, late: Event) -> Iterator[pa.RecordBatch]:
    try:
        yield from _until(reader, late)
    except OSError as error:
        # Once there is a first batch, the engine's own errors come as this one.
        if "Out of Memory" in str(error):
            raise NoRoomError(_NO_MEMORY) from error
        raise RuntimeError("the engine failed") from error


def _until(batches: Iterable[pa.RecordBatch], late: Event) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if late.is_set():
            break
        yield batch
    if late.is_set():
        # An interrupt may look like the end.
        raise RuntimeError("late")


def _even(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Give the rows in batches of one length: where the engine cuts depends on its threads."""
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        rest.append(batch)
        while sum(each.num_rows for each in rest) >= BATCH_ROWS:
            whole = pa.concat_batches(rest) if len(rest) > 1 else rest[0]
            yield whole.slice(0, BATCH_ROWS)
            rest = [whole.slice(BATCH_ROWS)] if whole.num_rows > BATCH_ROWS else []
    if rest:
        yield pa.concat_batches(rest)


def _marked(field: pa.Field, kind: Any) -> pa.Field:  # noqa: ANN401 - DuckDB's type has no public name
    """Mark the leaves of a field whose type in Arrow does not tell what they are."""
    if str(kind) == "JSON":
        return marked(field, JSON_TEXT)
    if kind.id in {"hugeint", "uhugeint"}:
        return marked(field, WIDE_INTEGER)
    nest = _NESTED.get(kind.id)
    return field if nest is None else field.with_type(nest(field.type, kind.children))


def _list(kind: pa.DataType, children: Sequence[tuple[str, Any]]) -> pa.DataType:
    return pa.list_(_marked(kind.value_field, children[0][1]))


def _struct(kind: pa.DataType, children: Sequence[tuple[str, Any]]) -> pa.DataType:
    return pa.struct([_marked(kind.field(n), child) for n, (_, child) in enumerate(children)])


def _map(kind: pa.DataType, children: Sequence[tuple[str, Any]]) -> pa.DataType:
    key, value = (child for _, child in children)
    return pa.map_(_marked(kind.key_field, key), _marked(kind.item_field, value))


# A Table holds arrays as lists.
_NESTED = {"list": _list, "struct": _struct, "map": _map}
