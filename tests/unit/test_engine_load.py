"""Loading Tables: what is served, what is refused and in which words, and how a Table is named."""

import os
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf, nan

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.dataset import Column, Constant, Lineage
from app.engine import EngineLimits, load_table, table_hash
from app.errors import NoRoomError, SourceError, TableError
from app.query import Query, compile_export
from app.table import Table

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STAMP = pa.timestamp("us", tz="UTC")
FAMILIES = {
    "integer": pa.array([1], pa.int8()),
    "number": pa.array([1.5], pa.float32()),
    "decimal": pa.array([Decimal("1.50")]),
    "string": pa.array(["a"]),
    "boolean": pa.array([True]),
    "date": pa.array([date(2026, 1, 2)]),
    "time": pa.array([time(12)]),
    "timestamp": pa.array([NOON]),
    "json": pa.array(["{}"], pa.json_()),
    "binary": pa.array([b"a"]),
    "list": pa.array([[1]]),
    "struct": pa.array([{"a": 1}]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
}
WIDENED = [("integer", "number"), ("integer", "decimal")]
DECLARED = [kind for kind in FAMILIES if kind not in {"list", "struct", "map"}]


@pytest.fixture
def refused(bench):
    """The findings with which files are refused."""

    def findings(*files, **fields):
        with pytest.raises(TableError) as caught:
            bench.load(*files, dataset=bench.dataset(**fields))
        assert list(bench.folder.glob("*.duckdb")) == list(bench.folder.glob("*unfinished*")) == []
        return caught.value.facts["errors"]

    return findings


def column(x, **rules):
    return {"columns": (Column("x", **rules),)} if rules else {"k": [*range(len(x))], "x": x}


def test_a_column_that_is_not_declared_has_the_type_of_the_file(bench):
    dataset, table = bench.load({"k": [1], **FAMILIES})
    assert {each.name: each.type for each in table.columns} == {"k": "integer"} | {
        kind: kind for kind in FAMILIES
    }
    assert {each.name: each.stored for each in dataset.columns} == {
        each.name: each.name for each in table.columns
    }


@pytest.mark.parametrize("kind", DECLARED)
def test_a_declared_type_fits_its_own_family_and_lossless_widening(refused, kind):
    columns = tuple(Column(found, type=kind) for found in FAMILIES)
    told = {each["column"]: each["message"] for each in refused(FAMILIES, columns=columns, keys=())}
    assert FAMILIES.keys() - told.keys() == {kind} | {f for f, to in WIDENED if to == kind}
    assert all(
        message.startswith(f"declared {kind!r}, but the file holds") for message in told.values()
    )
    assert all(f"({found})" in message for found, message in told.items())


@pytest.mark.parametrize(("found", "kind"), WIDENED)
def test_integers_are_widened_where_that_is_declared(bench, found, kind):
    dataset = bench.dataset(**column([], type=kind))
    assert bench.load({"k": [1], "x": FAMILIES[found]}, dataset=dataset)[1].columns[1].type == kind


@pytest.mark.parametrize(
    ("array", "physical"),
    [
        (pa.array([2**64 - 1], pa.uint64()), "UBIGINT"),
        (pa.array(["a"]).dictionary_encode(), "VARCHAR"),
        (pa.array([b"0123456789abcdef"], pa.uuid()), "VARCHAR"),
        (pa.array([NOON], pa.timestamp("us", tz="Europe/Vienna")), "TIMESTAMP"),
        (pa.array([NOON], pa.timestamp("ms")), "TIMESTAMP"),
        (pa.array([1], pa.timestamp("ns")), "TIMESTAMP_NS"),
        (pa.array([b"ab"], pa.binary(2)), "BLOB"),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "TINYINT[]"),
        (pa.array([None], pa.null()), "INTEGER"),
        (pa.array([[{"a": NOON}]]), 'STRUCT("a" TIMESTAMP)[]'),
        (pa.array([Decimal(1)], pa.decimal128(38, 10)), "DECIMAL(38,10)"),
    ],
)
def test_a_table_holds_zones_settled_and_codes_as_text(bench, array, physical):
    assert bench.load({"k": [1], "x": array})[1].columns[1].physical == physical


@pytest.mark.parametrize("x", [2**53, -(2**53), 2**63 - 1])
def test_integers_that_a_float_cannot_tell_apart_are_no_numbers(refused, bench, x):
    declared = column([], type="number")
    (finding,) = refused(column([1, x]), **declared)
    assert (finding["rule"], finding["count"], finding["examples"]) == ("type", 1, [{"k": 1}])
    exact = 2**53 - 1
    loaded = bench.load(column([exact]), dataset=bench.dataset(**declared))
    assert loaded[1].columns[1].max == exact


def test_a_missing_column_is_told_with_the_nearest_and_who_names_it(refused):
    findings = refused(
        {"k": [1], "date": [date(2026, 1, 1)]},
        keys=("k", "kk"),
        time="dat",
        lineage=Lineage("run", Constant("none"), "made"),
        columns=(Column("K"),),
    )
    assert [finding["message"] for finding in findings] == [
        "no column 'K' in the file, which 'columns' names",
        "no column 'kk' in the file, which 'keys' names; did you mean 'k'?",
        "no column 'run' in the file, which 'lineage' names",
        "no column 'made' in the file, which 'lineage' names",
        "no column 'dat' in the file, which 'time' names; did you mean 'date'?",
    ]
    assert {finding["rule"] for finding in findings} == {"missing"}


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("a", "a"), ("ß", "SS"), ("Ä", "ä")])
def test_names_that_are_equal_up_to_case_are_refused(refused, one, other):
    file = pa.table([[1], [{"in": 1, "IN": 2}], [2], [3]], names=["k", "s", one, other])
    (finding,) = refused(file)
    assert finding["message"] == f"columns {one!r} and {other!r} have the same name, up to case"


def test_all_findings_of_a_file_are_told_together(refused):
    findings = refused(
        {"k": [1, 1, None], "x": [None, 5, 7], "y": ["a", "b", "c"]},
        columns=(Column("x", required=True, maximum=6), Column("y", enum=("a", "b"))),
    )
    assert [finding["rule"] for finding in findings] == [
        *("required", "maximum", "required", "enum", "keys"),
    ]


def test_keys_that_are_not_unique_are_counted_with_five_examples(refused):
    (finding,) = refused({"k": [*range(9)] * 2, "day": [1] * 18}, keys=("k", "day"))
    assert finding["message"] == "'k', 'day': 9 values stand in several rows"
    assert finding["count"] == 9
    assert len(finding["examples"]) == 5
    assert set(finding["examples"][0]) == {"k", "day"}


@pytest.mark.parametrize("x", [[1, None], [1.0, nan]])
def test_keys_are_never_null_and_nan_counts_as_null(refused, x):
    (finding,) = refused({"k": [1, 2], "x": x}, keys=("x", "k"))
    assert (finding["rule"], finding["column"], finding["count"]) == ("required", "x", 1)
    assert finding["examples"] == [{"x": None, "k": 2}]


@pytest.mark.parametrize("part", ["dataset_id", "model_version", "generated_at"])
def test_lineage_is_never_null(refused, part):
    columns = {
        "k": [1, 2],
        "dataset_id": ["run", "run"],
        "model_version": ["v1", "v1"],
        "generated_at": pa.array([NOON, NOON], STAMP),
    }
    holes = pa.array([columns[part][0], None])
    findings = refused(
        {**columns, part: holes},
        lineage=Lineage("dataset_id", "model_version", "generated_at"),
    )
    assert [(f["rule"], f["column"], f["count"]) for f in findings] == [("required", part, 1)]


RULES = [
    ([1, None], {"required": True}, "is null in 1 rows"),
    ([1.0, nan], {"required": True}, "is null in 1 rows"),
    ([1, 1, None, None], {"unique": True}, "'x': 1 values stand in"),
    ([1, 2, None], {"minimum": 2}, "is below 2 in 1 rows"),
    ([1, 2, None], {"maximum": 1}, "is above 1 in 1 rows"),
    ([0, 1], {"maximum": Decimal("0.5")}, "is above 0.5 in 1 rows"),
    ([0, 1], {"minimum": Decimal("0.4")}, "is below 0.4 in 1 rows"),
    ([0.1, 0.5, nan, None], {"minimum": Decimal("0.2")}, "is below 0.2 in 1 rows"),
    ([0.1, 0.5, nan, None], {"maximum": Decimal("0.2")}, "is above 0.2 in 1 rows"),
    ([0.1, 0.5, nan, inf], {"maximum": Decimal("0.2")}, "is above 0.2 in 2 rows"),
    ([Decimal("0.01"), Decimal("0.00")], {"maximum": Decimal("0.005")}, "is above 0.005 in 1 rows"),
    ([Decimal("0.01"), Decimal("0.00")], {"minimum": Decimal("0.005")}, "is below 0.005 in 1 rows"),
    (["a", "b", None], {"enum": ("a",)}, "is none of a in 1 rows"),
    ([True, False, None], {"enum": (True,)}, "is none of True in 1 rows"),
    ([1.0, nan, None, 2.0], {"enum": (Decimal(1),)}, "is none of 1 in 1 rows"),
    ([date(2026, 1, 1)], {"minimum": date(2026, 1, 2)}, "is below 2026-01-02 in 1 rows"),
    ([time(8)], {"maximum": time(7, 59)}, "is above 07:59:00 in 1 rows"),
    (
        pa.array([NOON], STAMP),
        {"maximum": NOON.replace(hour=11)},
        "is above 2026-01-02 11:00:00+00:00 in 1 rows",
    ),
    (pa.array([300], pa.int16()), {"maximum": 299}, "is above 299 in 1 rows"),
]
KEPT = [
    (pa.array([100], pa.int8()), {"maximum": 100_000, "minimum": -100_000}),
    (pa.array([100], pa.int8()), {"enum": (100, 1_000)}),
    (pa.array([1], pa.uint8()), {"minimum": -1}),
    ([Decimal("1.00")], {"maximum": 10**9, "minimum": Decimal("-1E+9")}),
    ([nan, None, 1.0], {"enum": (Decimal(1),), "minimum": 1, "maximum": 1}),
    ([None, 1, None, 2], {"unique": True}),
    (pa.array([0.1], pa.float32()), {"maximum": Decimal("0.1"), "minimum": Decimal("0.1")}),
    (pa.array([NOON], STAMP), {"minimum": NOON, "maximum": NOON}),
    (pa.array(["a"]).dictionary_encode(), {"enum": ("a", "b")}),
]


@pytest.mark.parametrize(("x", "rules", "told"), RULES)
def test_a_rule_that_is_broken_is_told_and_counted(refused, x, rules, told):
    (finding,) = refused(column(x), **column([], **rules))
    assert told in finding["message"]
    assert finding["rule"] in rules
    assert finding["count"] == len(finding["examples"])


@pytest.mark.parametrize(("x", "rules"), KEPT)
def test_null_and_values_within_the_rules_are_served(bench, x, rules):
    dataset, table = bench.load(column(x), dataset=bench.dataset(**column([], **rules)))
    assert table.rows == len(x)
    assert {name: getattr(dataset.column("x"), name) for name in rules} == rules


@pytest.mark.parametrize(
    "x",
    [
        pa.array([2_932_897, 0], pa.date32()),
        pa.array([-719_163, 0], pa.date32()),
        pa.array([2**62, 0], pa.timestamp("us")),
        pa.array([2**63 - 1, 0], pa.timestamp("us")),
        pa.array([-(2**63) + 1, 0], pa.timestamp("us", tz="UTC")),
        pa.array([2**63 - 1, 0], pa.timestamp("ns")),
    ],
)
def test_infinity_and_years_that_have_no_iso_form_are_refused(refused, x):
    (finding,) = refused(column(x))
    assert (finding["rule"], finding["count"], finding["examples"]) == ("years", 1, [{"k": 0}])


@pytest.mark.parametrize("x", [date(1, 1, 1), date(9999, 12, 31)])
def test_the_first_and_the_last_day_are_served(bench, x):
    assert bench.load(column([x]))[1].columns[1].max == x.isoformat()


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[1,]", "-inf", '{"a": [1, ]}'])
def test_text_that_only_the_engine_takes_for_json_is_refused(refused, text):
    sound = ['"NaN"', '{"information": ["a,]", null]}', "1e999", None]
    (finding,) = refused(column(pa.array([*sound, text], pa.json_())))
    assert (finding["column"], finding["count"], finding["examples"]) == ("x", 1, [{"k": 4}])
    assert finding["message"] == "column 'x' is no JSON in 1 rows"


@pytest.mark.parametrize("kind", [pa.time64("ns"), pa.list_(pa.time64("ns"))])
def test_a_type_that_is_not_supported_is_refused(refused, kind):
    (finding,) = refused(column(pa.array([None], kind)))
    assert finding["message"].endswith("which is not supported yet")


@pytest.mark.parametrize("role", ["time", "generated_at"])
def test_what_orders_rows_in_time_is_a_date_or_a_timestamp(refused, role):
    lineage = Lineage(
        Constant("run"), Constant("none"), "x" if role == "generated_at" else Constant("2026-01-01")
    )
    (finding,) = refused(column(["soon"]), lineage=lineage, time="x" if role == "time" else None)
    assert finding["message"].endswith("needs a date or a timestamp; 'x' is string")


@pytest.mark.parametrize("role", ["dataset_id", "model_version"])
@pytest.mark.parametrize(("cell", "kind"), [({"run": 1}, "struct"), (["a"], "list")])
def test_what_tells_which_row_is_newest_has_to_compare(refused, role, cell, kind):
    told = {"dataset_id": Constant("run"), "model_version": Constant("none"), role: "x"}
    lineage = Lineage(**told, generated_at=Constant("2026-01-01"))
    (finding,) = refused(column([cell]), lineage=lineage)
    assert finding["message"] == f"'lineage.{role}' needs values that compare; 'x' is {kind}"


def test_strict_serves_what_is_declared_and_what_is_needed(bench):
    file = {"k": [1], "day": [date(2026, 1, 1)], "run": ["r"], "x": [1], "secret": [1]}
    lineage = Lineage("run", Constant("none"), Constant("2026-01-01"))
    fields = {"columns": (Column("x"),), "lineage": lineage, "time": "day"}
    loose, strict = (
        bench.load(file, dataset=bench.dataset(strict=strict, **fields))[0]
        for strict in (False, True)
    )
    assert [each.name for each in loose.columns] == list(file)
    assert [each.name for each in strict.columns] == ["k", "day", "run", "x"]


def in_folder(bench, folder, **fields):
    loading = bench.loading({"k": [1]}, dataset=bench.dataset(**fields))
    path = bench.folder / folder / "0000.parquet"
    path.parent.mkdir()
    loading.copies[0].rename(path)
    return load_table(replace(loading, copies=[path]), bench.folder, bench.limits)


@pytest.mark.parametrize(("hive", "names"), [(False, ["k"]), (True, ["k", "region"])])
def test_folders_become_columns_only_if_asked(bench, hive, names):
    table = in_folder(bench, "region=eu", hive_partitioning=hive)
    assert [each.name for each in table.columns] == names


@pytest.mark.parametrize("folder", ["it's", "[1]", "a*b", "{a,b}"])
def test_a_folder_may_have_any_name(bench, folder):
    assert in_folder(bench, folder).rows == 1


def test_several_files_are_one_table_whatever_the_order_of_their_columns(bench):
    one, other = {"k": [2], "x": ["b"]}, {"x": ["a"], "k": [1]}
    dataset, table = bench.load(one, other)
    assert (table.rows, [each.name for each in dataset.columns]) == (2, ["k", "x"])


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"k": [2]}, "column 'x' is nothing in '0001.parquet', but BIGINT in '0000.parquet'"),
        ({"k": [2], "x": [1], "y": [1]}, "column 'y' is BIGINT in '0001.parquet', but nothing in"),
        ({"k": [2], "x": [1.5]}, "column 'x' is DOUBLE in '0001.parquet', but BIGINT in"),
        ({"k": [2], "x": ["a"]}, "column 'x' is VARCHAR in '0001.parquet', but BIGINT in"),
        ({"k": [2], "x": pa.array([1], pa.int32())}, "column 'x' is INTEGER in '0001.parquet'"),
    ],
)
def test_files_that_do_not_have_the_same_columns_are_refused(refused, other, told):
    (finding,) = refused({"k": [1], "x": [3]}, other)
    assert told in finding["message"]


def parquet(**options):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"k": list(range(10_000)), "x": ["text"] * 10_000}), sink, **options)
    return sink.getvalue().to_pybytes()


DAMAGED = {
    "empty": b"",
    "not parquet": b"k,x\n1,2\n",
    "magic only": b"PAR1PAR1",
    "random": b"PAR1" + os.urandom(10_000) + b"PAR1",
    "cut": parquet()[:-100],
    "no start": parquet()[4_000:],
    "no middle": parquet()[:1_000] + bytes(3_000) + parquet()[4_000:],
    "no columns": pa.table({}),
    "no text": {"k": [1], "x": pa.array([b"\xff\xfe"]).view(pa.string())},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused_without_paths_or_words_of_the_engine(bench, damage):
    with pytest.raises(SourceError) as caught:
        bench.load(DAMAGED[damage])
    assert caught.value.detail == "sales: a file is damaged, or is no Parquet file."
    assert caught.value.facts == {"dataset": "sales"}
    assert [path for path in bench.folder.iterdir() if path.is_file()] == []


def test_a_file_among_sound_ones_may_be_the_damaged_one(bench):
    with pytest.raises(SourceError, match="damaged"):
        bench.load(parquet(), parquet()[:-100])


def test_a_table_that_needs_more_memory_and_disk_than_it_may_use_has_no_room(bench):
    loading = bench.loading({"k": [f"{n:0200d}" for n in range(200_000)]})
    limits = EngineLimits(threads=1, memory_bytes=8 << 20, spill=bench.folder / "no" / "room")
    (bench.folder / "no").write_bytes(b"in the way")
    with pytest.raises((NoRoomError, SourceError)) as caught:
        load_table(loading, bench.folder, limits)
    assert str(bench.folder) not in caught.value.detail
    assert not list(bench.folder.glob("*unfinished*"))


def test_what_a_killed_loader_left_is_in_nobodys_way(bench):
    loading = bench.loading({"k": [1]})
    (bench.folder / f"{loading.hash}.{loading.dataset.name}.unfinished").write_bytes(
        b"half a table"
    )
    assert load_table(loading, bench.folder, bench.limits).rows == 1
    assert load_table(loading, bench.folder, bench.limits).rows == 1
    assert not list(bench.folder.glob("*unfinished*"))


@pytest.mark.parametrize(("time", "order"), [("day", [2, 3, 0, 1]), (None, [0, 1, 2, 3])])
def test_a_table_is_held_in_the_order_of_its_time_then_its_keys(bench, time, order):
    day = pa.array([2, 2, 1, 1], pa.int32()).cast(pa.date32())
    dataset = bench.dataset(keys=("k", "day"), time=time)
    files = [{"k": [1, 0], "day": day[:2], "n": [1, 0]}, {"k": [3, 2], "day": day[2:], "n": [3, 2]}]
    loaded = bench.load(*files, dataset=dataset)
    with bench.engine(loaded).stream(compile_export(Query(loaded[0], ("n",))), 9) as rows:
        (held,) = [batch.column(0).to_pylist() for batch in rows.batches]
    assert held == order


BASE = [("a.parquet", "aa"), ("b.parquet", "bb")]


def test_a_table_is_named_by_what_it_holds(bench):
    dataset = bench.dataset(columns=(Column("x"),))
    named = table_hash(dataset, BASE)
    assert named == table_hash(dataset, BASE[::-1])
    for files in (BASE[:1], [*BASE, ("c.parquet", "cc")], [("a.parquet", "ab"), BASE[1]]):
        assert table_hash(dataset, files) != named


@pytest.mark.parametrize(
    "fields",
    [
        *({"title": "T"}, {"description": "D"}, {"tags": ("t",)}, {"endpoints": {"items": {}}}),
        *({"name": "other"}, {"max_age": 1}, {"status": "deprecated"}, {"generic": False}),
        {"columns": (Column("x", description="D", unit="kg", filterable=False),)},
    ],
)
def test_words_about_a_table_do_not_make_it_another(bench, fields):
    dataset = bench.dataset(columns=(Column("x"),))
    assert table_hash(replace(dataset, **fields), BASE) == table_hash(dataset, BASE)


@pytest.mark.parametrize(
    "fields",
    [
        *({"keys": ("k", "x")}, {"time": "x"}, {"strict": True}, {"hive_partitioning": True}),
        {"lineage": Lineage(Constant("run-2"), Constant("none"), Constant("2026-01-01"))},
        {"lineage": Lineage("run-1", Constant("none"), Constant("2026-01-01T00:00:00Z"))},
        {"columns": ()},
        *({"columns": (Column("x", **rule),)} for rule in (
            {"type": "number"}, {"required": True}, {"unique": True}, {"minimum": 1},
            {"maximum": Decimal(1)}, {"enum": (1,)}, {"enum": ("1",)},
        )),
    ],
)  # fmt: skip
def test_a_declaration_that_serves_or_refuses_something_else_makes_another_table(bench, fields):
    dataset = bench.dataset(columns=(Column("x"),))
    assert table_hash(replace(dataset, **fields), BASE) != table_hash(dataset, BASE)


def test_the_same_content_makes_the_same_table(bench):
    (_, one), (_, other) = bench.load({"k": [1]}), bench.load({"k": [1]})
    assert one == other
    assert bench.load({"k": [2]})[1].hash != one.hash


def test_a_table_tells_what_it_holds(bench):
    file = {
        "k": [1, 2, 3, 4],
        "x": [1.5, nan, None, inf],
        "day": [date(2026, 1, day) for day in (1, 2, 3, 4)],
        "model": ["v2", "v1", "v1", "v2"],
        "made": pa.array([NOON.replace(hour=hour) for hour in (3, 1, 2, 4)], STAMP),
    }
    dataset = bench.dataset(time="day", lineage=Lineage(Constant("it's"), "model", "made"))
    _, table = bench.load(file, dataset=dataset)
    x = asdict(table.columns[1])
    assert (x["nan"], x["nulls"], x["distinct"]) == (True, 2, 2)
    assert (x["min"], x["max"]) == (1.5, None)
    assert (table.columns[2].min, table.columns[2].max) == ("2026-01-01", "2026-01-04")
    assert table.newest == NOON.replace(hour=4)
    told = {
        version.pop("model_version"): tuple(version.values())
        for version in map(dict, table.versions)
    }
    first, last = "2026-01-02T01:00:00Z", "2026-01-02T02:00:00Z"
    assert told["v1"] == ("it's", 2, first, last, "2026-01-02", "2026-01-03")
    first, last = "2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z"
    assert told["v2"] == ("it's", 2, first, last, "2026-01-01", "2026-01-04")


def test_a_table_without_rows_is_served(bench):
    file = {"k": pa.array([], pa.int64()), "made": pa.array([], STAMP)}
    lineage = Lineage(Constant("run"), Constant("none"), "made")
    _, table = bench.load(file, dataset=bench.dataset(lineage=lineage))
    assert (table.rows, table.versions, table.newest) == (0, (), None)
    assert (table.columns[0].min, table.columns[0].distinct) == (None, 0)


def test_a_table_survives_being_written_down(bench):
    file = {f"{kind} {{x}}": array for kind, array in FAMILIES.items()}
    _, table = bench.load({"k": [2**60], **file})
    written = orjson.loads(orjson.dumps(table.as_fact()))
    assert Table.from_fact(written) == table


def test_rules_that_only_a_sample_would_keep_are_checked_on_every_row(refused):
    (finding,) = refused(column([*range(5_000), -1]), **column([], minimum=0))
    assert finding["examples"] == [{"k": 5_000}]
