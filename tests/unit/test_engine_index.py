"""The key index: what it gives is what the engine gives, for every type, or it gives nothing."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import inf, nan
from weakref import ref

import pyarrow as pa
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dataset import Lineage
from app.engine.held import held
from app.engine.indexed import Indexed
from app.query import TYPES, Query, Where, compile_query, orders_of, stretch

LARGE = 1 << 20
NANO = "TIMESTAMP_NS"
TEXTS = ["", "A", "B", "a", "aé", "z", "É", "\uffff", "😀", "😀\0x"]
DAYS = [date(1, 1, 1), date(2026, 1, 1), date(2026, 1, 2), date(9999, 12, 31)]
NOON = datetime(2026, 1, 2, 12, 0, 0, 1, tzinfo=UTC)
ROWS = [(text, day, run) for text in TEXTS for day in DAYS for run in (-1, 2**40)]
# Every fifth cell is null, so that every type has nulls.
CELLS = {
    "flag": ([True, False], pa.bool_()),
    "tiny": ([1, -128], pa.int8()),
    "wide": ([2**64 - 1, 0], pa.uint64()),
    "single": ([0.1, -0.0, nan, inf], pa.float32()),
    "double": ([0.1, 1e300, nan, -inf], pa.float64()),
    "money": ([Decimal("1.50"), Decimal("-99999999999999999999.00")], pa.decimal128(38, 2)),
    "text": (["", "é\n", "\0"], pa.string()),
    "json": (['{"a": [1, 2]}', "null"], pa.json_()),
    "bytes": ([b"", b"\xff"], pa.binary()),
    "day": (DAYS, pa.date32()),
    "second": ([NOON.replace(microsecond=0)], pa.timestamp("s")),
    "moment": ([NOON, datetime(1, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
    "nano": ([1, 10**9, -1], pa.timestamp("ns")),
    "list": ([[1], []], pa.list_(pa.int64())),
    "clock": ([time(12), time(0)], pa.time64("us")),
    "pair": ([{"a": 1}], pa.struct([("a", pa.int64())])),
    "version": (["v1", "v2"], pa.string()),
    "at": ([NOON, NOON + timedelta(days=1)], pa.timestamp("us", tz="UTC")),
}
HELD = [name for name in CELLS if name not in {"list", "clock", "pair"}]
KEYS = ("k text", "k day", "k run")


def column(name):
    cells, kind = CELLS[name]
    whole = name in {"version", "at"}
    picked = (None if n % 5 == 0 and not whole else cells[n % len(cells)] for n in range(len(ROWS)))
    return pa.array(list(picked), kind)


@pytest.fixture(scope="module")
def both(bench_at, tmp_path_factory):
    bench = bench_at(tmp_path_factory.mktemp("index"))
    keys = dict(zip(KEYS, zip(*ROWS, strict=True), strict=True))
    columns = {name: list(cells) for name, cells in keys.items()}
    lineage = Lineage("version", "version", "at")
    dataset = bench.dataset(keys=KEYS, lineage=lineage)
    files = {**columns, **{name: column(name) for name in CELLS}}
    dataset, table = bench.load(files, dataset=dataset, index_bytes=LARGE)
    return dataset, bench.index(table), bench.engine((dataset, table))


def stretched(query, order="keys"):
    return stretch(query, orders_of(query.dataset)[order])


VALUES = dict(zip(KEYS, (st.text(max_size=2), st.dates(), st.integers(-2, 2)), strict=True))
STORED = {name: sorted({row[n] for row in ROWS}) for n, name in enumerate(KEYS)}
RANGES = st.lists(st.sampled_from(["gt", "gte", "lt", "lte"]), max_size=2)


@st.composite
def stretches(draw):
    value = {name: st.sampled_from(STORED[name]) | VALUES[name] for name in KEYS}
    count = draw(st.integers(0, 3))
    where = [Where(name, "eq", draw(value[name])) for name in KEYS[:count]]
    where += [
        Where(name, op, draw(value[name])) for name in KEYS[count:][:1] for op in draw(RANGES)
    ]
    sign = draw(st.sampled_from(["", "-"]))
    rest = [f"{sign}{name}" for name in KEYS[count:]]
    last = [*(draw(value[name]) for name in KEYS[count:]), *(each.value for each in where[:count])]
    return {
        "select": draw(st.lists(st.sampled_from([*KEYS, *HELD]), unique=True)) or HELD,
        "where": draw(st.permutations(where)),
        "sort": [*rest, *KEYS[:count]],
        "after": last if rest and draw(st.booleans()) else [],
        "limit": draw(st.none() | st.integers(0, 90)),
        "offset": draw(st.integers(0, 3)),
    }


@settings(max_examples=400, deadline=None)
@given(stretches())
def test_a_stretch_is_what_the_engine_gives(both, question):
    dataset, index, engine = both
    query = Query(dataset, **question)
    asked, given = index.read(stretched(query)), engine.run(compile_query(query))
    # NaN is equal to nothing, and a type that is wrong may look right.
    assert repr(asked.cells) == repr(given.cells)
    assert (asked.columns, asked.stamp, asked.more) == (given.columns, given.stamp, given.more)


def values_of(column):
    """Draw what a column may be asked with: its own cells, near them and far off."""
    cells = CELLS[column.name][0] if column.name in CELLS else STORED[column.name]
    own = [read(column.type, each) for each in cells if each not in {None, nan}]
    return st.sampled_from(own) | OTHERS[column.type]


def read(kind, cell):
    return cell.replace(tzinfo=None) if kind == "timestamp" else cell


OTHERS = {
    "integer": st.integers(-(2**65), 2**65) | st.integers(-2, 2),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "string": st.sampled_from(["", "a", "é", "\n", "\0", "x"]),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(allow_imaginary=False) | st.dates(),
    "decimal": st.decimals(-(10**40), 10**40, places=6) | st.decimals(-2, 2, places=2),
}


@st.composite
def conditions(draw, dataset):
    asked = [each for each in dataset.columns if each.type in OTHERS and each.physical != NANO]
    column = draw(st.sampled_from(asked))
    operator = draw(st.sampled_from(TYPES[column.type].operators))
    value = values_of(column)
    if operator in {"in", "not_in"}:
        value = st.lists(value, max_size=3)
    return Where(column.name, operator, draw(st.booleans() if operator == "isnull" else value))


def is_the_engines(where):
    """Tell whether it is asked with small letters, or with a day where there are moments."""
    listed = where.value if isinstance(where.value, list) else [where.value]
    return where.operator == "icontains" or any(type(each) is date for each in listed)


@settings(max_examples=1_000, deadline=None)
@given(st.data(), stretches())
def test_the_rows_of_a_stretch_that_fit_are_those_of_the_engine(both, data, question):
    dataset, index, engine = both
    further = data.draw(st.lists(conditions(dataset), min_size=1, max_size=3))
    query = Query(dataset, **{**question, "where": [*further, *question["where"]]})
    asked = stretched(query)
    if asked is None:
        assert question["after"] or any(map(is_the_engines, further))
        return
    found, given = index.read(asked), engine.run(compile_query(query))
    assert repr(found.cells) == repr(given.cells)
    assert (found.columns, found.stamp, found.more) == (given.columns, given.stamp, given.more)


@pytest.mark.parametrize("operator", ["contains", "startswith"])
@pytest.mark.parametrize("part", ["", "a", "é", "\n", "\0", "x"])
@pytest.mark.parametrize("name", ["k text", "text"])
def test_parts_of_texts_are_found_where_the_engine_finds_them(both, name, operator, part):
    dataset, index, engine = both
    query = Query(dataset, KEYS, [Where(name, operator, part)], sort=KEYS)
    assert index.read(stretched(query)).cells == engine.run(compile_query(query)).cells


@pytest.mark.parametrize("name", sorted(CELLS.keys() - set(HELD)))
def test_a_column_that_it_cannot_hold_is_left_to_the_engine(both, name):
    dataset, index, _ = both
    assert index.read(stretched(Query(dataset, (name,), sort=KEYS))) is None


@pytest.mark.parametrize(
    ("cells", "physical", "repeated"),
    [
        (range(40), "BIGINT", False),
        ([float(n) for n in range(40)], "DOUBLE", False),
        ([date(2026, 1, 1) + timedelta(n % 4) for n in range(40)], "DATE", True),
        ([date(2026, 1, 1) + timedelta(n) for n in range(40)], "DATE", False),
        ([f"v{n % 3}" for n in range(40)], "VARCHAR", True),
    ],
)
def test_a_cell_that_lacks_is_null_wherever_a_stretch_begins(cells, physical, repeated):
    column = pa.array([cell if n % 3 and n % 7 else None for n, cell in enumerate(cells)])
    indexed = Indexed(column.dictionary_encode() if repeated else column, held(physical))
    for first in range(40):
        for count in range(41 - first):
            assert indexed.between(first, count) == column.slice(first, count).to_pylist()


def test_many_rows_are_left_to_the_engine(bench):
    _, table = loaded = bench.load({"k": range(10_001)}, index_bytes=LARGE)
    query = Query(loaded[0], sort=("k",))
    assert bench.index(table).read(stretched(query)) is None


def test_rows_that_fit_are_looked_for_among_so_many_cells(bench):
    _, table = loaded = bench.load({"k": range(6_000)}, index_bytes=LARGE)
    index, fits = bench.index(table), [Where("k", "ne", 0), Where("k", "not_in", [1])]
    for conditions, limit, count in (
        (1, None, 5_999),
        (2, 3, 3),
        (2, None, None),
        (2, 4_998, None),
    ):
        query = Query(loaded[0], where=fits[:conditions], sort=("k",), limit=limit)
        rows = index.read(stretched(query))
        assert (None if rows is None else len(rows)) == count


def test_an_index_goes_when_nobody_refers_to_it_whatever_was_read(bench):
    dataset, table = bench.load({"k": range(10)}, index_bytes=LARGE)
    index = bench.index(table)
    assert len(index.read(stretched(Query(dataset, sort=("k",))))) == 10
    seen = ref(index)
    del index
    assert seen() is None


@pytest.mark.parametrize("most", [0, 100])
def test_an_index_that_would_be_too_large_is_left_out(bench, most):
    _, table = bench.load({"k": range(1000)}, index_bytes=most)
    assert (table.index_bytes, bench.index(table)) == (0, None)
    assert not list(bench.folder.glob("*.index"))


@pytest.mark.parametrize("k", [[], [time(12)]])
def test_a_table_without_rows_or_with_other_keys_has_none(bench, k):
    _, table = bench.load({"k": k}, index_bytes=LARGE)
    assert table.index_bytes == 0


def test_an_index_is_read_only_and_told_with_its_size(bench):
    _, table = bench.load({"k": [1]}, index_bytes=LARGE)
    (file,) = bench.folder.glob("*.index")
    assert (file.stat().st_mode & 0o777, file.stat().st_size) == (0o400, table.index_bytes)
    assert not list(bench.folder.glob("*unfinished*"))


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_damaged_index_is_told_and_not_used(bench, place):
    _, table = bench.load({"k": range(100)}, index_bytes=LARGE)
    (file,) = bench.folder.glob("*.index")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    with structlog.testing.capture_logs() as events:
        assert bench.index(table) is None
    assert [each["event"] for each in events] == ["index not used"]


@pytest.mark.parametrize("left", [b"", b"ab", None])
def test_an_index_that_is_cut_or_gone_is_told_and_not_used(bench, left):
    _, table = bench.load({"k": range(100)}, index_bytes=LARGE)
    (file,) = bench.folder.glob("*.index")
    file.unlink()
    if left is not None:
        file.write_bytes(left)
    with structlog.testing.capture_logs() as events:
        assert bench.index(table) is None
    assert [each["event"] for each in events] == ["index not used"]
