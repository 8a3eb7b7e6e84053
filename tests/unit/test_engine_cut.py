"""Exports out of an index: byte for byte what the engine gives, for every type, or nothing."""

import io
from datetime import date, datetime
from threading import Event

import pyarrow as pa
import pyarrow.ipc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dataset import Lineage
from app.engine import in_time
from app.engine.watch import Watchdog
from app.errors import ExportTooSlowError
from app.formats import Form, write_export
from app.query import Query, Where, compile_export, compile_summary, export_stretches

LARGE = 1 << 26
ITEMS, DAYS, RUNS = ("", "a", "aé", "😀"), range(1, 29), (-1, 2**40)
ROWS = [(item, date(2026, 1, day), run) for item in ITEMS for day in DAYS for run in RUNS]
KEYS = ("item", "day", "run")
# Every fifth cell is null, and another one's value may lie there in the file of the engine.
CELLS = {
    "flag": ([True, False], pa.bool_()),
    "tiny": ([1, -128], pa.int8()),
    "wide": ([2**64 - 1, 0], pa.uint64()),
    "single": ([0.1, -0.0, float("nan")], pa.float32()),
    "double": ([0.1, 1e300, float("inf")], pa.float64()),
    "money": ([1, 2, -3], pa.decimal128(38, 2)),
    "text": (["", 'é\n"', "\0"], pa.string()),
    "bytes": ([b"", b"\xff"], pa.binary()),
    "due": ([date(1, 1, 1), date(9999, 12, 31)], pa.date32()),
    "moment": ([datetime(2026, 1, 1, 1, 2, 3, 4)], pa.timestamp("us")),  # noqa: DTZ001 - UTC
}
LEFT = {
    "nano": ([1, 10**9], pa.timestamp("ns")),
    "json": (['{"a": [1, 2]}'], pa.json_()),
    "list": ([[1], []], pa.list_(pa.int64())),
}


def cells(values, kind):
    return pa.array(
        [None if n % 5 == 0 else values[n % len(values)] for n in range(len(ROWS))], kind
    )


@pytest.fixture(scope="module", params=["columns", "constants"])
def both(bench_at, tmp_path_factory, request):
    """A dataset in the order of its days, the index of its keys, and the engine."""
    bench = bench_at(tmp_path_factory.mktemp("cut"))
    columns = dict(zip(KEYS, map(list, zip(*ROWS, strict=True)), strict=True))
    columns |= {name: cells(*each) for name, each in {**CELLS, **LEFT}.items()}
    columns["version"] = [f"v{n % 3}" for n in range(len(ROWS))]
    columns["at"] = [date(2026, 2, 1 + n % 28) for n in range(len(ROWS))]
    told = {"lineage": Lineage("version", "version", "at")} if request.param == "columns" else {}
    dataset = bench.dataset(keys=KEYS, time="day", **told)
    dataset, table = bench.load(columns, dataset=dataset, index_bytes=LARGE)
    return dataset, bench.index(table), bench.engine((dataset, table))


def cut(index, query):
    ((_, asked),) = export_stretches(query)
    return index.cut(asked)


def written(batches, form):
    sink = io.BytesIO()
    write_export(batches, Form(form, {}, {}), sink)
    return sink.getvalue()


@st.composite
def exports(draw):
    count = draw(st.integers(0, 3))
    values = dict(zip(KEYS, draw(st.sampled_from(ROWS)), strict=True))
    where = [Where(name, "eq", values[name]) for name in KEYS[:count]]
    operators = draw(st.lists(st.sampled_from(["gt", "gte", "lt", "lte"]), max_size=2))
    where += [Where(name, each, values[name]) for name in KEYS[count:][:1] for each in operators]
    return {
        "select": draw(st.lists(st.sampled_from([*KEYS, *CELLS]), unique=True)) or [*KEYS, *CELLS],
        "where": where,
        "sort": draw(st.sampled_from([(), KEYS, KEYS[count:]])),
        "limit": draw(st.none() | st.integers(0, 90)),
    }


@settings(max_examples=200, deadline=None)
@given(exports(), st.sampled_from(["json", "csv", "parquet", "arrow", "arrows"]))
def test_an_export_out_of_an_index_is_what_the_engine_gives(both, question, form):
    dataset, index, engine = both
    query = Query(dataset, **question)
    batches, stamp = cut(index, query)
    with engine.stream(compile_export(query), 60) as streamed:
        assert batches.schema.equals(streamed.schema)
        assert written(batches, form) == written(streamed, form)
    assert stamp == engine.run(compile_summary(query)).stamp


@pytest.mark.parametrize("name", sorted(LEFT))
def test_a_column_that_is_not_held_as_it_is_stored_is_left_to_the_engine(both, name):
    dataset, index, _ = both
    assert cut(index, Query(dataset, (name,))) is None


def test_rows_that_go_backwards_are_left_to_the_engine(both):
    dataset, index, _ = both
    assert cut(index, Query(dataset, sort=("-item", "-day", "-run"), select=KEYS)) is None


def test_batches_are_cut_where_the_engine_cuts_them(bench):
    loaded = bench.load({"k": range(40_000), "x": ["a", "b"] * 20_000}, index_bytes=LARGE)
    query = Query(loaded[0], where=(Where("k", "gt", 9),))
    batches, _ = cut(bench.index(loaded[1]), query)
    with bench.engine(loaded).stream(compile_export(query), 60) as streamed:
        assert list(map(len, batches.batches)) == list(map(len, streamed.batches))


def test_many_bytes_are_left_to_the_engine(bench):
    dataset, table = bench.load({"k": range(900), "t": ["x" * 60_000] * 900}, index_bytes=LARGE)
    index = bench.index(table)
    columns = [f"text of row {n} ".ljust(60_000, "x") for n in range(900)]
    other, wide = bench.load({"k": range(900), "t": columns}, index_bytes=LARGE)
    assert cut(index, Query(dataset)) is not None
    assert cut(bench.index(wide), Query(other)) is None
    assert cut(bench.index(wide), Query(other, where=(Where("k", "lt", 9),))) is not None


def test_nothing_of_another_row_lies_below_a_null(both):
    dataset, index, _ = both
    batches, _ = cut(index, Query(dataset, ("double",), sort=KEYS))
    (batch,) = pa.ipc.open_stream(written(batches, "arrows"))
    column = batch.column("double")
    assert column.null_count
    below = memoryview(column.buffers()[1]).cast("d")
    assert {below[n] for n, cell in enumerate(column.to_pylist()) if cell is None} == {0.0}


def test_an_export_that_takes_too_long_is_refused(both):
    dataset, index, _ = both
    batches, _ = cut(index, Query(dataset, KEYS))
    with pytest.raises(ExportTooSlowError):
        read_late(batches)


def read_late(batches):
    with in_time(batches, (Watchdog(), 0.0)) as limited:
        Event().wait(0.1)
        list(limited.batches)
