"""What the docs and the editor's schema say of ``datasets.yaml`` is what the reader does."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from app.errors import RegistryError
from app.registry import json_schema, read_registry

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference" / "datasets-yaml.md"
HOW_TO = DOCS / "how-to" / "add-a-dataset.md"

FILE = ()
SOURCE = ("sources", "*")
DATASET = ("datasets", "*")
COLUMN = (*DATASET, "columns", "*")
TABLES = {
    "the file": FILE,
    "a source": SOURCE,
    "a dataset": DATASET,
    "a column": COLUMN,
    **{f"`{key}`": (*DATASET, key) for key in ("owner", "freshness", "cache", "prepare")},
    "`lineage`": (*DATASET, "lineage"),
}

SOUND = """\
version: 1
sources: {ml: {location: data}}
datasets:
  forecasts:
    source: ml
    path: fact.parquet
    keys: [item_id, date]
    lineage: {dataset_id: run, model_version: {value: none}, generated_at: made}
    columns: {units: {type: integer, minimum: 0, enum: [1, 2]}}
    endpoints: {summary: , series: {by: day}}
    prepare: {orders: [[date, -units]], rollups: [{by: [date], measures: [count, sum:units]}]}
"""


def yaml_blocks():
    for page in (REFERENCE, HOW_TO):
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S):
            yield pytest.param(block, id=page.stem)


def part(schema, steps):
    for step in steps:
        schema = schema["additionalProperties"] if step == "*" else schema["properties"][step]
    return schema


def keys_in_the_docs(heading):
    text = REFERENCE.read_text()
    section = text.partition(f"\n## Keys of {heading}\n")[2].partition("\n## ")[0]
    table = re.search(r"\| key \|.*\n\|---.*\n((?:\|.*\n)+)", section)
    cells = [row.split("|")[1] for row in table[1].splitlines()]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("block", [*yaml_blocks()])
def test_an_example_in_the_docs_is_a_registry(block, tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text(block)
    assert read_registry(path).served


@pytest.mark.parametrize(("heading", "steps"), TABLES.items(), ids=TABLES)
def test_the_reference_explains_each_key_and_no_other(heading, steps):
    assert keys_in_the_docs(heading) == set(part(json_schema(), steps)["properties"])


@pytest.mark.parametrize(("heading", "steps"), TABLES.items(), ids=TABLES)
def test_the_reference_says_which_keys_are_required(heading, steps):
    section = REFERENCE.read_text().partition(f"\n## Keys of {heading}\n")[2].partition("\n## ")[0]
    required = set(re.findall(r"^\| `(\w+)` \| yes \|", section, re.M))
    assert required == set(part(json_schema(), steps).get("required", ()))


def test_the_reference_names_each_type_of_column():
    types = part(json_schema(), COLUMN)["properties"]["type"]["enum"]
    assert [each for each in types if f"`{each}`" not in REFERENCE.read_text()] == []


def test_the_stored_json_schema_is_what_the_reader_gives():
    stored = json.loads((DOCS / "reference" / "datasets.schema.json").read_text())
    assert stored == json_schema()


def test_the_json_schema_is_one():
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("block", [*yaml_blocks(), SOUND])
def test_an_editor_accepts_what_the_reader_accepts(block):
    Draft202012Validator(json_schema()).validate(yaml.safe_load(block))


@pytest.mark.parametrize(
    ("sound", "spoilt"),
    [
        ("path:", "paht:"),
        ("version: 1", "version: 2"),
        ("[item_id, date]", "[]"),
        ("[item_id, date]", "[a, a]"),
        ("{value: none}", "{valeu: none}"),
        ("type: integer", "type: int"),
        ("summary: ,", "Summary: ,"),
        ("forecasts:", "Forecasts:"),
        ("measures: [count, sum:units]", "measures: ['sum:']"),
        ("source: ml", "source: ml\n    on_failure: retry"),
        ("source: ml", "source: ml\n    max_row_loss: 1.5"),
        ("source: ml", "source: ml\n    engine: trino"),
        ("source: ml", "source: ml\n    access: For us"),
        ("source: ml", "source: ml\n    title: 7"),
        ("source: ml", "source: ml\n    cache: {max_age: -1}"),
    ],
)
def test_an_editor_refuses_what_the_reader_refuses(sound, spoilt, tmp_path):
    text = SOUND.replace(sound, spoilt, 1)
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError):
        read_registry(path)
    assert not Draft202012Validator(json_schema()).is_valid(yaml.safe_load(text))


def test_every_key_tells_an_editor_what_it_means():
    places = [part(json_schema(), steps)["properties"] for steps in TABLES.values()]
    assert [key for keys in places for key, rule in keys.items() if "description" not in rule] == []
