"""Whole results as a stream: in order, in even batches, in limited time, in constant memory."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pyarrow as pa
import pytest

from app.dataset import Column
from app.engine.watch import Watchdog
from app.errors import ExportTooSlowError, FigureOutOfRangeError
from app.formats import Form, write_export
from app.query import (
    Measure,
    Query,
    Statement,
    Where,
    compile_export,
    compile_query,
    compile_summary,
)

ROWS = 100_000
ENDLESS = "SELECT i, i * 7919 % 1000003 AS j FROM range(100000000000) t(i)"

LATE = ExportTooSlowError("late")


@pytest.fixture(scope="module")
def large(bench_at, tmp_path_factory):
    """An engine on a Table of many rows, and its dataset."""
    bench = bench_at(tmp_path_factory.mktemp("large"))
    columns = {
        "k": list(range(ROWS)),
        "a": [n % 7 for n in range(ROWS)],
        "b": [None if n % 5 == 0 else n / 3 for n in range(ROWS)],
        "t": [None if n % 3 == 0 else f"row {n}" for n in range(ROWS)],
        "l": [None if n % 4 == 0 else [n] * (n % 3) for n in range(ROWS)],
    }
    loaded = bench.load(columns)
    return bench.engine(loaded), loaded[0]


def asking(sql):
    return Statement(sql, (), (Column("i"),), figures=False)


def batches(large, **question):
    engine, dataset = large
    with engine.stream(compile_export(Query(dataset, **question)), 60) as result:
        return list(result.batches)


def keys(found):
    return [key for batch in found for key in batch.column("k").to_pylist()]


def test_all_rows_come_in_the_tables_own_order(large):
    assert keys(batches(large)) == list(range(ROWS))


@pytest.mark.parametrize("where", [(), (Where("a", "ne", 3),)])
def test_a_limit_without_a_sort_gives_the_first_rows(large, where):
    found = keys(batches(large, where=where, limit=50_000))
    assert found == [n for n in range(ROWS) if not where or n % 7 != 3][:50_000]


def test_a_sort_is_completed_by_the_keys(large):
    found = keys(batches(large, sort=("-a",)))
    assert found == sorted(range(ROWS), key=lambda n: (-(n % 7), n))
    assert keys(batches(large, sort=("-a",), limit=20_000)) == found[:20_000]


def test_batches_are_of_one_length_but_for_the_last(large):
    lengths = [batch.num_rows for batch in batches(large, where=(Where("a", "gt", 2),))]
    assert len(set(lengths[:-1])) == 1
    assert lengths[-1] <= lengths[0]


def file(large, form):
    engine, dataset = large
    sink = io.BytesIO()
    where = (Where("a", "ne", 3),)
    with engine.stream(compile_export(Query(dataset, where=where)), 60) as result:
        write_export(result, Form(form, {}, {}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "parquet", "arrow", "arrows"])
def test_an_export_has_the_same_bytes_whoever_makes_it_beside_it(large, form):
    with ThreadPoolExecutor(2) as threads:
        files = list(threads.map(lambda _: file(large, form), range(4)))
    assert len(set(files)) == 1
    assert files[0]


def test_the_summary_tells_of_the_very_rows(large):
    engine, dataset = large
    for limit, told in ((None, "run-1"), (10, "run-1"), (0, None)):
        summary = engine.run(compile_summary(Query(dataset, sort=("-a",), limit=limit)))
        assert summary.stamp.dataset_id == told


def test_no_row_is_a_result_too(large):
    assert batches(large, where=(Where("k", "eq", -1),)) == []


def read_all(engine, sql, seconds, pause=0.0):
    with engine.stream(asking(sql), seconds) as result:
        for _ in result.batches:
            time.sleep(pause)


@pytest.mark.parametrize("sql", [ENDLESS, ENDLESS + " ORDER BY j"])
def test_what_takes_too_long_is_interrupted_and_refused(large, sql):
    began = time.monotonic()
    with pytest.raises(ExportTooSlowError) as told:
        read_all(large[0], sql, 0.3)
    assert told.value.headers["Retry-After"]
    assert time.monotonic() - began < 5


def test_what_is_late_outside_the_engine_is_refused_too(large):
    with pytest.raises(ExportTooSlowError):
        read_all(large[0], ENDLESS, 0.1, pause=0.2)


def test_who_leaves_a_stream_early_leaves_the_engine_usable(large):
    engine, dataset = large
    for _ in range(20):
        with engine.stream(asking(ENDLESS), 60) as result:
            assert next(result.batches).num_rows
    assert len(engine.run(compile_query(Query(dataset, limit=5)))) == 5


def test_a_failure_of_whoever_reads_is_its_own(large):
    with pytest.raises(KeyError), large[0].stream(asking(ENDLESS), 60):
        raise KeyError("here")


@pytest.mark.parametrize(
    "figure",
    ["9223372036854775807 + i", "CAST(1e300 AS DECIMAL(38, 0))", "CAST('x' || i AS INTEGER)"],
)
def test_a_figure_that_no_number_holds_is_refused_in_our_own_words(large, figure):
    with pytest.raises(FigureOutOfRangeError) as told:
        large[0].run(asking(f"SELECT {figure} FROM range(1, 2) t(i)"))  # noqa: S608 - our own
    assert "INT" not in told.value.detail


def test_an_export_of_figures_is_none(large):
    with pytest.raises(LookupError):
        compile_export(Query(large[1], measures=(Measure("n", "count"),)))


def test_an_interrupt_is_repeated_until_the_work_has_ended():
    interrupted, enough = [], Event()

    def interrupt():
        interrupted.append(1)
        if len(interrupted) == 3:
            enough.set()

    with Watchdog().limit(0.01, interrupt, LATE) as late:
        assert enough.wait(5)
    assert late.is_set()
    told = len(interrupted)
    time.sleep(0.1)
    assert len(interrupted) == told


def test_what_is_in_time_is_never_interrupted():
    interrupted = []
    with Watchdog().limit(60, lambda: interrupted.append(1), LATE) as late:
        pass
    assert (interrupted, late.is_set()) == ([], False)


def test_a_stream_takes_little_memory_however_long_it_is(large):
    before = pa.total_allocated_bytes()
    most = 0
    with large[0].stream(asking(ENDLESS + " LIMIT (SELECT 5000000)"), 60) as result:
        for _ in result.batches:
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < 16 << 20
