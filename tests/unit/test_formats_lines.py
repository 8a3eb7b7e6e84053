"""Rows as text by the column: CSV as its standard says, lines that are cut nowhere."""

import csv
import io
import json

import pyarrow as pa
import pytest

from app.formats import Batches, Form, duration_text, write_export


def written(form, columns, **options):
    """The rows in that form, of columns by name."""
    table = pa.table(columns)
    sink = io.BytesIO()
    write_export(Batches(table.schema, iter(table.to_batches())), Form(form, options, {}), sink)
    return sink.getvalue().decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, ""),
        ("", '""'),
        (" a ", " a "),
        ('say "a"', '"say ""a"""'),
        ("a,b", '"a,b"'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        ("Größe \u2028 \0 🙂", "Größe \u2028 \0 🙂"),
        ("'", "'"),
        ("=1+1", "=1+1"),
    ],
)
def test_a_text_is_quoted_only_where_it_must_be(text, shown):
    columns = {"k": [1], "t": pa.array([text], pa.string())}
    assert written("csv", columns) == f"k,t\r\n1,{shown}\r\n"


@pytest.mark.parametrize("first", "=+-@\t\r")
def test_for_excel_no_text_begins_as_a_formula(first):
    columns = {f"{first}name": [f"{first}1", "1"], "n": [-1, -2]}
    header, *rows = csv.reader(io.StringIO(written("csv", columns, excel=True), newline=""))
    assert header == [f"'{first}name", "n"]
    assert rows == [[f"'{first}1", "-1"], ["1", "-2"]]


def test_a_header_is_quoted_as_a_text_is():
    assert written("csv", {'a,"b"': [1], "line\nbreak": [2]}).startswith(
        '"a,""b""","line\nbreak"\r\n'
    )


def test_a_byte_order_mark_comes_first_where_it_is_asked():
    assert written("csv", {"a": [1]}, bom=True) == "\ufeffa\r\n1\r\n"


def test_odd_names_are_members_as_they_are():
    columns = {'a"b': [1], "a\\b": [2], "a\nb": [3], "\u2028": [4]}
    assert json.loads(written("ndjson", columns)) == {name: n for name, (n,) in columns.items()}


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_texts_of_many_megabytes_are_cut_nowhere(form):
    texts = [f'{n} "' + "x" * 100_000 for n in range(60)]
    content = written(form, {"n": list(range(60)), "t": texts})
    if form == "csv":
        found = [row[1] for row in csv.reader(io.StringIO(content, newline=""))][1:]
    elif form == "json":
        found = [row["t"] for row in json.loads(content)["data"]]
    else:
        found = [json.loads(line)["t"] for line in content.splitlines()]
    assert found == texts


def test_a_part_of_a_batch_shows_its_own_cells():
    columns = {
        "f": [0.5, None, 2.0, float("nan"), 4.0],
        "l": [[1], None, [], [4, 5], [6]],
        "s": [{"a": n} for n in range(5)],
        "m": pa.array([[("x", n)] for n in range(5)], pa.map_(pa.string(), pa.int64())),
    }
    table = pa.table(columns)
    sink = io.BytesIO()
    whole = [json.loads(line) for line in written("ndjson", columns).splitlines()]
    parts = Batches(table.schema, iter(table.slice(1, 3).to_batches()))
    write_export(parts, Form("ndjson", {}, {}), sink)
    assert [json.loads(line) for line in sink.getvalue().splitlines()] == whole[1:4]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((0, 0, 0), "PT0S"),
        ((14, 3, 0), "P14M3D"),
        ((0, 0, 1), "PT0.000001S"),
        ((1, 0, 90_000_000), "P1MT90S"),
        ((-1, 2, -500_000), "P-1M2DT-0.5S"),
    ],
)
def test_a_duration_is_written_part_by_part_each_with_its_sign(parts, text):
    assert duration_text(*parts) == text


def test_a_format_that_nobody_knows_is_an_error():
    with pytest.raises(LookupError):
        written("xlsx", {"a": [1]})
