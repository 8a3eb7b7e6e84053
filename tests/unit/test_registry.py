"""What a sound registry file becomes, and what is said of one that is not."""

import pickle
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.dataset import Constant
from app.errors import RegistryError
from app.registry import diagnostics_of, nearest, read_registry, registry_from_document

HEAD = "version: 1\nsources: {ml: {location: data}, lake: {location: /srv/gold}}\ndatasets:\n"
SOUND = """\
  forecasts:
    source: ml
    path: fact.parquet
    keys: [item_id, date]
    lineage: {dataset_id: run, model_version: {value: none}, generated_at: made}
"""
TWO_DAYS, THREE_HOURS = "{count: 2, period: day}", "{count: 3, period: hour}"
NO_NAME = "is not a name: a small letter, then at most 62 small letters, digits or _"


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "datasets.yaml"
        path.write_text(text, encoding="utf-8")
        return read_registry(path)

    return read_text


@pytest.fixture
def refused(read):
    def errors_of(text):
        with pytest.raises(RegistryError) as caught:
            read(text)
        return [str(each) for each in diagnostics_of(caught.value)]

    return errors_of


def dataset(read, *lines):
    return read(HEAD + SOUND + "".join(f"    {line}\n" for line in lines)).datasets["forecasts"]


def test_a_dataset_holds_what_the_file_says(read):
    forecasts = dataset(
        read,
        "time: date",
        "tags: [daily, ml]",
        "status: deprecated",
        "deprecated_since: 2026-01-31",
        "owner: {name: Ada, email: ada@example.org}",
        "cache: {max_age: 5}",
        "freshness: {warn_after: {count: 36, period: hour}}",
        "columns: {units: {type: integer, minimum: 0, enum: [0, 1], required: true}}",
    )
    assert forecasts.keys == ("item_id", "date")
    assert forecasts.time == "date"
    assert forecasts.tags == ("daily", "ml")
    assert forecasts.deprecated_since == date(2026, 1, 31)
    assert forecasts.owner["name"] == "Ada"
    assert forecasts.max_age == 5
    assert forecasts.freshness.warn_after == timedelta(hours=36)
    assert forecasts.freshness.error_after is None
    assert forecasts.lineage.model_version == Constant("none")
    units = forecasts.column("units")
    assert (units.type, units.minimum, units.enum, units.required) == ("integer", 0, (0, 1), True)


def test_what_the_file_leaves_out_has_its_default(read):
    forecasts = dataset(read)
    assert (forecasts.status, forecasts.max_age, forecasts.generic) == ("active", 60, True)
    assert (forecasts.columns, forecasts.endpoints, forecasts.time) == ((), {}, None)


@pytest.mark.parametrize(
    ("written", "offered"),
    [
        ("[items, summary]", {"items": {}, "summary": {}}),
        ("[]", {}),
        ("{summary: , series: {by: day}}", {"summary": {}, "series": {"by": "day"}}),
    ],
)
def test_endpoints_are_a_list_or_a_mapping(read, written, offered):
    assert dataset(read, f"endpoints: {written}").endpoints == offered


def test_a_relative_location_starts_at_the_folder_of_the_file(read, tmp_path):
    sources = read(HEAD + SOUND).sources
    assert sources["ml"].location == tmp_path / "data"
    assert sources["lake"].location == Path("/srv/gold")


def test_a_draft_is_read_but_not_served(read):
    registry = read(HEAD + SOUND + "    status: draft\n" + SOUND.replace("forecasts", "stock"))
    assert list(registry.datasets) == ["forecasts", "stock"]
    assert list(registry.served) == ["stock"]


def test_no_dataset_at_all_is_a_registry(read):
    assert read("version: 1\ndatasets: {}\n").datasets == {}


@pytest.mark.parametrize("word", ["NO", "on", "010", "1:30", ".inf", "2026-01-31", "1.2.3", "True"])
def test_a_word_that_looks_like_something_stays_text(read, word):
    text = (HEAD + SOUND).replace("[item_id, date]", f"[{word}]")
    assert read(text).datasets["forecasts"].keys == (word,)


@pytest.mark.parametrize("word", ["NO", "on", "yes", "2024", "1.5", "true", "Größe", "a b", "a~/b"])
def test_any_column_name_is_allowed(read, word):
    assert dataset(read, f"columns: {{{word}: {{type: string}}}}").has_column(word)


@pytest.mark.parametrize(
    ("written", "value"), [("-5", -5), ("2.5", 2.5), ("1e3", 1000.0), ("'7'", "7"), ("+3", 3)]
)
def test_numbers_are_numbers_and_quotes_make_text(read, written, value):
    found = dataset(read, f"columns: {{a: {{minimum: {written}}}}}").columns[0].minimum
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "column",
    [
        "{type: integer, minimum: 0, maximum: 5}",
        "{type: number, minimum: 0, maximum: 0.5}",
        "{type: decimal, minimum: '0.10', maximum: 5}",
        "{type: string, minimum: a, maximum: b, enum: [a, b]}",
        "{type: boolean, enum: [true]}",
        "{type: date, minimum: 2026-01-01, maximum: 2026-12-31}",
        "{type: time, minimum: '08:00', maximum: '20:00:00'}",
        "{type: timestamp, minimum: 2026-01-01, maximum: 2026-01-01T00:00:00+01:00, unit: x}",
        "{enum: [1, a, true, 1.5]}",
        "{minimum: 1, maximum: 2}",
    ],
)
def test_bounds_of_the_columns_type_are_read(read, column):
    if "+01:00" in column:
        column = column.replace("minimum: 2026-01-01", "minimum: 2025-01-01")
    assert dataset(read, f"columns: {{a: {column}}}").has_column("a")


def test_what_needs_no_later_work_is_accepted(read):
    forecasts = dataset(
        read,
        "on_failure: block",
        "max_row_loss: 1",
        "engine: duckdb",
        "access: public",
        "generic: false",
        "prepare: {orders: [[source, -forecast]], rollups: [{by: [a], measures: [count, sum:b]}]}",
    )
    assert forecasts.generic is False


def test_a_byte_order_mark_is_skipped(read):
    assert read("\ufeff" + HEAD + SOUND).positions["/version"] == (1, 1)


def test_positions_point_at_keys_and_at_items(read):
    positions = read(HEAD + SOUND).positions
    assert positions["/datasets/forecasts"] == (4, 3)
    assert positions["/datasets/forecasts/keys/1"] == (7, 21)


def test_a_registry_from_its_document_equals_the_one_from_the_file(read, tmp_path):
    registry = read(HEAD + SOUND)
    again = registry_from_document(registry.document, tmp_path)
    assert again.sources == registry.sources
    assert again.fingerprint == registry.fingerprint
    assert (again.folder, again.name, again.positions) == (tmp_path, "datasets.yaml", {})
    assert again.datasets["forecasts"].lineage == registry.datasets["forecasts"].lineage


def test_a_document_that_is_not_sound_is_refused(tmp_path):
    with pytest.raises(RegistryError, match="1 error"):
        registry_from_document({"version": 1}, tmp_path)


def test_the_document_has_no_defaults_filled_in(read):
    assert read(HEAD + SOUND).document == yaml.safe_load(HEAD + SOUND)


def test_the_fingerprint_follows_declarations_and_folders(read, tmp_path):
    one = read(HEAD + SOUND)
    spaced = read(HEAD + "\n# a remark\n" + SOUND)
    changed = read(HEAD + SOUND + "    title: New\n")
    moved = registry_from_document(one.document, tmp_path / "elsewhere")
    assert one.fingerprint == spaced.fingerprint
    assert len({one.fingerprint, changed.fingerprint, moved.fingerprint}) == 3


def test_a_registry_can_be_sent_to_another_process(read):
    registry = read(HEAD + SOUND)
    assert pickle.loads(pickle.dumps(registry)).document == registry.document  # noqa: S301 - ours


def test_a_diagnostic_stands_at_the_nearest_part_that_has_a_place(read):
    registry = read(HEAD + SOUND)
    found = registry.diagnostic(
        "/datasets/forecasts/keys/1", "no column 'dat' in fact.parquet", nearest="date"
    )
    assert str(found) == (
        "datasets.yaml:7:21  datasets.forecasts.keys[1]: no column 'dat' in fact.parquet; "
        "did you mean 'date'?"
    )
    assert registry.diagnostic("/datasets/forecasts/time", "no").line == 4
    assert registry.diagnostic("/nowhere", "no").as_fact() == {
        "file": "datasets.yaml",
        "line": 1,
        "column": 1,
        "pointer": "/nowhere",
        "message": "no",
    }


def test_a_file_has_all_its_errors_reported_in_file_order(refused):
    errors = refused(
        HEAD
        + SOUND.replace("path", "paht").replace("ml\n", "mll\n")
        + "    title: 7\n  Stock: {}\n"
    )
    assert errors == [
        "datasets.yaml:4:3  datasets.forecasts: missing key 'path'",
        "datasets.yaml:5:5  datasets.forecasts.source: no source 'mll'; did you mean 'ml'?",
        "datasets.yaml:6:5  datasets.forecasts: unknown key 'paht'; did you mean 'path'?",
        "datasets.yaml:9:5  datasets.forecasts.title: 7 is not text; put it in quotes",
        f"datasets.yaml:10:3  datasets: 'Stock' {NO_NAME}",
        "datasets.yaml:10:3  datasets.Stock: missing key 'source'",
        "datasets.yaml:10:3  datasets.Stock: missing key 'keys'",
        "datasets.yaml:10:3  datasets.Stock: missing key 'lineage'",
        "datasets.yaml:10:3  datasets.Stock: missing key 'path'",
    ]


def test_an_error_is_a_fact_of_the_problem_document(read):
    with pytest.raises(RegistryError, match=r"datasets\.yaml has 1 error\.") as caught:
        read(HEAD + SOUND + "    status: activ\n")
    assert caught.value.facts["errors"] == [
        {
            "file": "datasets.yaml",
            "line": 9,
            "column": 5,
            "pointer": "/datasets/forecasts/status",
            "message": "'activ' is not one of active, draft, deprecated",
            "found": "activ",
            "allowed": ["active", "draft", "deprecated"],
            "nearest": "active",
        }
    ]


def test_a_duplicate_key_is_refused_with_both_positions(refused):
    assert refused(HEAD + SOUND + "    keys: [other]\n    titel: x\n") == [
        "datasets.yaml:9:5  datasets.forecasts: key 'keys' stands twice, at 7:5 and 9:5",
        "datasets.yaml:10:5  datasets.forecasts: unknown key 'titel'; did you mean 'title'?",
    ]


def test_of_very_many_errors_the_first_are_listed_and_all_are_counted(read):
    with pytest.raises(RegistryError, match="has 1,000 errors; the first 100 are listed") as caught:
        read(HEAD + "".join(f"  d{number}: {{}}\n" for number in range(250)))
    assert len(caught.value.facts["errors"]) == 100


def test_a_long_list_of_what_is_allowed_is_left_out(read):
    sources = "".join(f"  s{number}: {{location: data}}\n" for number in range(51))
    with pytest.raises(RegistryError) as caught:
        read(f"version: 1\nsources:\n{sources}datasets:\n{SOUND}")
    (fact,) = caught.value.facts["errors"]
    assert (fact["message"], "allowed" in fact) == ("no source 'ml'", False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("on_failure: kep_last", "'kep_last' is not one of block, keep_last"),
        ("max_row_loss: 2", "2 is not a number from 0 to 1"),
        ("max_row_loss: true", "true is not a number from 0 to 1"),
        ("manifest: ../files.json", "'..' is not allowed"),
        ("engine: trino", "'trino' is not supported yet; use duckdb"),
        ("access: For us", "'For us' is not a name"),
        ("prepare: {orders: []}", "is an empty list; at least one item is needed"),
        ("prepare: {orders: [[-]]}", "'-' is not a column's name"),
        ("prepare: {rollups: [{by: [a]}]}", "missing key 'measures'"),
        ("prepare: {rollups: [{by: [a], measures: ['sum:']}]}", "'sum:' is not a measure"),
        ("generic: 1", "1 is not true or false"),
        ("strict: yes", "'yes' is not true or false"),
        ("title:", "is empty; give it a value or leave the key out"),
        ("title: [a]", "is not text"),
        ("tags: daily", "is not a list"),
        ("tags: [a, b, a]", "tags[2]: 'a' stands twice"),
        ("owner: Ada", "is not a mapping"),
        ("cache: {max_age: -1}", "-1 is not an integer from 0 to 31,536,000"),
        ("cache: {max_age: true}", "true is not an integer"),
        ("status: deprecated\n    deprecated_since: 2026", "2026 is not text"),
        ("status: deprecated\n    deprecated_since: soon", "'soon' is not a date such as"),
        ("deprecated_since: 2026-01-01", "needs 'status: deprecated'"),
        ("freshness: {warn_after: {count: 0, period: day}}", "0 is not an integer from 1"),
        ("freshness: {warn_after: {count: 1, period: days}}", "did you mean 'day'?"),
        (
            f"freshness: {{warn_after: {TWO_DAYS}, error_after: {THREE_HOURS}}}",
            "error_after: comes before warn_after",
        ),
        ("endpoints: items", "is not a mapping"),
        ("endpoints: {items: 3}", "endpoints.items: is not a mapping"),
        ("endpoints: [Items]", "'Items' is not a name"),
        ("endpoints: [a, a]", "'a' stands twice"),
        ("time: when\n    columns: {when: {type: string}}", "date or timestamp is needed"),
        ("columns: {made: {type: integer}}", "column 'made' is declared integer"),
        ("columns: {2024: {type: x}}", "forecasts.columns['2024'].type: 'x'"),
        ("columns: {a.b/c: {type: x}}", "forecasts.columns['a.b/c'].type: 'x'"),
        ("columns: {a: {type: integr}}", "did you mean 'integer'?"),
        ("columns: {a: {type: integer, minimum: abc}}", "does not fit a column of type integer"),
        ("columns: {a: {type: integer, enum: [1, x]}}", "a.enum[1]: 'x' does not fit"),
        ("columns: {a: {type: string, enum: [1]}}", "type string; put it in quotes"),
        ("columns: {a: {type: string, enum: [[1]]}}", "is not a single value"),
        ("columns: {a: {type: number, minimum: x}}", "does not fit a column of type number"),
        ("columns: {a: {type: decimal, minimum: nan}}", "does not fit a column of type decimal"),
        ("columns: {a: {type: boolean, enum: [x]}}", "does not fit a column of type boolean"),
        ("columns: {a: {type: boolean, minimum: 1}}", "a boolean column has no minimum"),
        ("columns: {a: {type: json, enum: [x]}}", "does not fit a column of type json"),
        ("columns: {a: {type: date, minimum: x}}", "does not fit a column of type date"),
        (
            "columns: {a: {type: time, minimum: '08:00+01:00'}}",
            "does not fit a column of type time",
        ),
        ("columns: {a: {minimum: 5, maximum: 3}}", "maximum: is less than minimum"),
        ("columns: {a: {minimum: 5, maximum: x}}", "is not of the same type as minimum"),
        ("columns: {a: {minimum: true, maximum: 3}}", "does not fit a column"),
        ("columns: {a: {}, A: {}}", "column 'A' differs from 'a' only in case"),
        ("columns: {a: {}, a__gte: {}}", "column 'a__gte' looks like a filter of column 'a'"),
        ('columns: {"a\\u200bb": {}}', "a key holds a character that cannot be seen"),
        ("columns: {' ': {}}", "' ' is not a text of 1 to 255 characters"),
        ('time: "a\\u202eb"', "holds a character that is not allowed"),
        ('time: "a\\u200bb"', "time: holds a character that cannot be seen"),
    ],
)
def test_a_line_that_says_something_wrong_is_refused(refused, line, said):
    errors = refused(HEAD + SOUND + f"    {line}\n")
    assert len(errors) == 1
    assert said in errors[0]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "is not relative"),
        ("s3://bucket/x", "is not relative"),
        ("C:/x", "is not relative"),
        ("../x", "'..' is not allowed"),
        ("a/../../x", "'..' is not allowed"),
        ("a\\b", "holds a backslash"),
        ("a//b", "has an empty part"),
        ("''", "is not a text of 1 to 1,024 characters"),
        ("x" * 1025, "is not a text of 1 to 1,024 characters"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(refused, path, said):
    (error,) = refused((HEAD + SOUND).replace("fact.parquet", path))
    assert said in error


def test_a_bucket_is_not_supported_yet(refused):
    (error,) = refused("version: 1\nsources: {lake: {location: s3://b/x}}\ndatasets: {}\n")
    assert error == (
        "datasets.yaml:2:18  sources.lake.location: a location on s3 is not supported yet; "
        "use a folder"
    )


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("{value: yesterday}", "generated_at.value: 'yesterday' is not an ISO 8601 timestamp"),
        ("{value: 0001-01-01T00:00:00+14:00}", "is not an ISO 8601 timestamp"),
        ("{valeu: none}", "did you mean 'value'?"),
        ("{value: none, more: 1}", "unknown key 'more'"),
        ("[made]", "is not text"),
    ],
)
def test_a_lineage_field_is_a_column_or_a_constant(refused, origin, said):
    errors = refused((HEAD + SOUND).replace("made}", f"{origin}}}"))
    assert any(said in each for each in errors)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\ndatasets: {}", "version: 2 is not a version that can be read; 1 is"),
        ("datasets: {}", "missing key 'version'"),
        ("version: 1", "missing key 'datasets'"),
        ("version: 1\ndatasets:", "datasets: is empty"),
        ("version: 1\ndatasets: 7", "datasets: is not a mapping"),
        ("version: 1\ndatasets: {}\nsource: {}", "did you mean 'sources'?"),
        ("version: 1\ndatasets: {}\nsources: []", "sources: is not a mapping"),
    ],
)
def test_a_file_without_its_parts_is_refused(refused, text, said):
    (error,) = refused(text)
    assert said in error


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("dat", ["item_id", "date"], "date"),
        ("Lineag", ["lineage"], "lineage"),
        ("xyz", ["date"], None),
        ("x" * 101, ["x" * 101], None),
    ],
)
def test_the_nearest_word_is_offered_if_one_is_close(word, words, meant):
    assert nearest(word, words) == meant


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
SPOILT = sorted({"title", "owner", "tags", "status", "deprecated_since", "source", "path", "keys"})
NESTED = sorted({"lineage", "columns", "freshness", "cache", "endpoints", "prepare", "time"})


@given(key=st.sampled_from([*SPOILT, *NESTED]), value=JUNK, inner=st.text(max_size=8))
def test_whatever_stands_in_a_key_is_read_or_refused(key, value, inner):
    document = yaml.safe_load(HEAD + SOUND)
    document["datasets"]["forecasts"][key] = value
    document["datasets"]["forecasts"]["columns"] = {"a": value, inner: {"type": value}}
    with suppress(RegistryError):
        assert registry_from_document(document, Path("/srv")).datasets
