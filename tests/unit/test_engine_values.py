"""Every type with its extremes, through every format and through small answers, without loss."""

import csv
import io
import json

import duckdb
import pyarrow as pa
import pytest

from tests.golden import GOLDEN, ROWS, WIDE, Asking, padded, strict

FORMATS = ("json", "ndjson", "csv", "parquet", "arrow", "arrows")


@pytest.fixture(scope="module")
def golden(bench_at, tmp_path_factory):
    """Asks a small answer of the golden table, or writes it in a format."""
    bench = bench_at(tmp_path_factory.mktemp("golden"))
    columns = {name: padded(array) for name, (array, _) in GOLDEN.items()}
    return Asking(bench, bench.load({"k": list(range(ROWS)), **columns}))


def expected(name):
    values = GOLDEN[name][1]
    return values + [None] * (ROWS - len(values))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_small_answer_shows_each_value_without_loss(golden, name):
    assert [row[name] for row in strict(golden.small(name))] == expected(name)


@pytest.mark.parametrize("name", GOLDEN)
def test_an_export_as_json_shows_the_very_same(golden, name):
    told = strict(golden.export("json", name))
    assert told["metadata"] == {"dataset": "golden"}
    assert [row[name] for row in told["data"]] == expected(name)
    lines = golden.export("ndjson", name).splitlines()
    assert [strict(line)[name] for line in lines] == expected(name)


def test_all_columns_together_have_the_bytes_of_a_small_answer(golden):
    names = [name for name in GOLDEN if not name.startswith("json")]
    lines = golden.export("ndjson", *names).decode().split("\n")
    assert golden.small(*names).decode() == f"[{','.join(lines[:-1])}]"


@pytest.mark.parametrize("name", GOLDEN)
def test_an_export_as_csv_shows_the_same_texts_and_nothing_for_null(golden, name):
    text = golden.export("csv", "k", name).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["k", name]
    nested = golden.dataset.column(name).type in {"json", "list", "struct", "map"}
    shown = [(strict(cell) if cell else None) if nested else cell for _, cell in rows]
    assert shown == (expected(name) if nested else [in_csv(value) for value in expected(name)])


def in_csv(value):
    return {None: "", True: "true", False: "false"}.get(value, value)


def test_csv_tells_an_empty_text_from_null(golden):
    lines = golden.export("csv", "text", "enum").decode().split("\r\n")
    assert (lines[1], lines[-2]) == ('"",a', " ,")


@pytest.mark.parametrize("form", ["parquet", "arrow", "arrows"])
def test_files_with_types_hold_what_the_source_held(golden, form):
    table = golden.arrow(form)
    assert json.loads(table.schema.metadata[b"assay"]) == {"dataset": "golden"}
    for name, (array, _) in GOLDEN.items():
        held = table.column(name).combine_chunks()
        wanted = in_files(padded(array).combine_chunks(), held.type)
        # NaN is not equal to itself.
        assert (held.type, str(held)) == (wanted.type, str(wanted))


def in_files(array, kind):
    """The column of the source as an export holds it: zones settled, codes as text."""
    if isinstance(array.type, pa.UuidType):
        texts = [None if value is None else str(value) for value in array.to_pylist()]
        return pa.array(texts)
    if isinstance(array, pa.ExtensionArray):
        return array.storage
    if pa.types.is_list(array.type) and isinstance(array.type.value_type, pa.BaseExtensionType):
        return pa.array(array.to_pylist(), kind)
    return array.cast(kind)


@pytest.mark.parametrize("form", ["parquet", "arrow", "arrows"])
def test_files_with_types_have_the_types_that_are_promised(golden, form):
    schema = golden.arrow(form).schema
    kinds = {
        "int8": "int8", "uint64": "uint64", "float": "float", "decimal_38_10": "decimal128(38, 10)",
        "date": "date32[day]", "time": "time64[us]", "zoned": "timestamp[us, tz=UTC]",
        "naive": "timestamp[us, tz=UTC]", "nano": "timestamp[ns, tz=UTC]", "uuid": "string",
        "json": "string", "enum": "string", "blob": "binary",
    }  # fmt: skip
    assert {name: str(schema.field(name).type) for name in kinds} == kinds


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_has_the_same_bytes_each_time(golden, form):
    assert golden.export(form) == golden.export(form)


def test_wide_integers_are_texts_where_that_is_asked(golden):
    names = ("int64", "uint64", "list", "struct")
    lines = golden.export("ndjson", *names, bigint="string").splitlines()
    first, second, third, _ = [json.loads(line) for line in lines]
    assert (first["int64"], second["int64"], third["int64"]) == (
        str(-(2**63)),
        str(2**63 - 1),
        str(WIDE + 1),
    )
    assert json.loads(lines[3])["int64"] == WIDE
    assert (first["uint64"], second["uint64"]) == (str(2**64 - 1), 0)
    assert (first["list"], first["struct"]["u"]) == ([1, None, str(WIDE + 1)], str(2**63))
    small = golden.small(*names, wide_as_text=True).decode()
    assert small == f"[{b','.join(lines).decode()}]"


@pytest.fixture(scope="module")
def durations(bench_at, tmp_path_factory):
    """A table that DuckDB wrote, with durations alone and nested."""
    bench = bench_at(tmp_path_factory.mktemp("durations"))
    path = bench.folder / "durations.parquet"
    values = ("1 month 2 days 3.5 seconds", "0 seconds", "1 year 3 hours", "1 ms")
    rows = ", ".join(f"({n}, interval '{each}')" for n, each in enumerate(values))
    held = duckdb.sql(f"VALUES {rows}, (4, NULL)").project("col0 k, col1 d, [d] l, {'d': d} s")
    held.write_parquet(str(path))
    return Asking(bench, bench.load(path.read_bytes()))


DURATIONS = ["P1M2DT3.5S", "PT0S", "P12MT10800S", "PT0.001S", None]


def test_a_duration_keeps_months_days_and_seconds_apart(durations):
    rows = strict(durations.small())
    assert [row["d"] for row in rows] == DURATIONS
    assert [row["l"][0] for row in rows] == DURATIONS
    assert [row["s"]["d"] for row in rows] == DURATIONS
    lines = durations.export("ndjson").decode().split("\n")[:-1]
    assert durations.small().decode() == f"[{','.join(lines)}]"


def test_a_duration_is_itself_in_arrow_and_text_in_parquet(durations):
    arrow, parquet = durations.arrow("arrow"), durations.arrow("parquet")
    assert arrow.column("d").to_pylist()[0] == pa.MonthDayNano([1, 2, 3_500_000_000])
    assert arrow.column("l").to_pylist()[2] == [pa.MonthDayNano([12, 0, 10_800 * 10**9])]
    assert parquet.column("d").to_pylist() == DURATIONS
    assert [strict(each) for each in parquet.column("l").to_pylist()] == [
        [each] for each in DURATIONS
    ]
