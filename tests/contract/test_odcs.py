"""The contract of a dataset is one of the Open Data Contract Standard, by its own JSON schema."""

import json
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files

import pyarrow as pa
import pytest
import yaml
from jsonschema import Draft201909Validator

from app.dataset import Column, Constant, Freshness, Lineage
from app.discovery import Plugins
from app.plugin import Call
from tests.conftest import ROOT

SCHEMA = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
ADDRESS = "/api/v1/datasets/forecasts/contract"


@pytest.fixture
def contract(bench):
    """Gives the contract of columns as a dataset declares them, checked by the schema."""

    def given(rows, /, **fields):
        dataset, table = bench.load(rows, dataset=bench.dataset(**fields))
        offers, _ = Plugins(ROOT / "plugins").offers({dataset.name: dataset})
        (offer,) = (each for each in offers if each.endpoint.name == "contract")
        document = offer.endpoint.answer(Call(dataset, {}, {}, None, table=table)).content
        content = json.loads(json.dumps(document))
        Draft201909Validator(SCHEMA).validate(content)
        return content

    return given


def properties(document):
    return {each["name"]: each for each in document["schema"][0]["properties"]}


def test_the_schema_of_the_standard_is_the_one_of_the_version_we_name():
    assert "v3.1.0" in SCHEMA["properties"]["apiVersion"]["enum"]
    with pytest.raises(Exception, match="is a required property"):
        Draft201909Validator(SCHEMA).validate({"apiVersion": "v3.1.0"})


def test_all_that_is_declared_is_told(contract):
    declared = Column("n", "integer", "How many.", "units", required=True, minimum=Decimal(0))
    document = contract(
        {"k": [1], "n": [5], "made": pa.array([0], pa.timestamp("us"))},
        title="Sales",
        description="What was sold.",
        owner={"name": "Planning", "email": "planning@example.com"},
        tags=("sales",),
        columns=(declared,),
        lineage=Lineage(Constant("run-1"), Constant("none"), "made"),
        freshness=Freshness(timedelta(hours=36), timedelta(days=2)),
        status="deprecated",
        deprecated_since=date(2026, 1, 1),
    )
    head = [document[name] for name in ("name", "status", "tags")]
    assert head == ["Sales", "deprecated", ["sales"]]
    assert document["team"]["members"][0]["username"] == "planning@example.com"
    ages = [(each["value"], each["unit"], each["element"]) for each in document["slaProperties"]]
    assert ages == [(2, "d", "made"), (36, "h", "made")]
    told = properties(document)["n"]
    assert (told["description"], told["required"]) == ("How many.", True)
    assert told["logicalTypeOptions"] == {"minimum": 0}
    assert told["customProperties"] == [{"property": "unit", "value": "units"}]
    facts = {each["property"]: each["value"] for each in document["customProperties"]}
    assert facts["lineage"]["model_version"] == {"value": "none"}
    assert facts["lineage"]["generated_at"] == {"column": "made"}
    assert facts["deprecatedSince"] == "2026-01-01"


def test_keys_have_their_places_and_are_unique_together(contract):
    document = contract({"b": [1], "a": [1], "x": [1]}, keys=("a", "b"))
    told = properties(document)
    assert [told[name].get("primaryKeyPosition") for name in ("a", "b", "x")] == [1, 2, None]
    assert "unique" not in told["a"]
    (rule,) = document["schema"][0]["quality"]
    assert (rule["metric"], rule["arguments"]) == ("duplicateValues", {"properties": ["a", "b"]})
    assert properties(contract({"k": [1]}))["k"]["unique"]


EVERY = {
    "integer": (pa.array([2**64 - 1], pa.uint64()), "integer"),
    "number": ([1.5], "number"),
    "decimal": (pa.array([Decimal("1.5")], pa.decimal128(38, 10)), "number"),
    "string": (["x"], "string"),
    "boolean": ([True], "boolean"),
    "date": ([date(2026, 1, 1)], "date"),
    "time": (pa.array([1], pa.time64("us")), "time"),
    "timestamp": (pa.array([1], pa.timestamp("ns")), "timestamp"),
    "binary": ([b"x"], "string"),
    "list": ([[1]], "array"),
    "struct": ([{"f": 1}], "object"),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "object"),
}


def test_every_type_has_a_logical_and_a_physical_one(contract):
    columns = {name: values for name, (values, _) in EVERY.items()}
    told = properties(contract({"k": [1], **columns}))
    assert {n: told[n]["logicalType"] for n in EVERY} == {n: word for n, (_, word) in EVERY.items()}
    assert all(told[name]["physicalType"] for name in EVERY)


@pytest.mark.parametrize("name", ["a b", 'a"b', "a\nb", "select", "a__b", "é", "$ref", "x.y"])
def test_a_column_may_have_any_name(contract, name):
    assert name in properties(contract({name: [1]}, keys=(name,)))


@pytest.mark.parametrize(
    ("values", "bounds", "options"),
    [
        ([1], (Decimal(0), Decimal(10**20)), {"minimum": 0, "maximum": 10**20}),
        ([1.5], (Decimal("0.5"), None), {"minimum": 0.5}),
        ([date(2026, 1, 1)], (date(2020, 1, 1), None), {"minimum": "2020-01-01"}),
    ],
)
def test_bounds_are_options_of_the_type(contract, values, bounds, options):
    column = Column("x", minimum=bounds[0], maximum=bounds[1])
    told = properties(contract({"k": [1], "x": values}, columns=(column,)))["x"]
    assert told["logicalTypeOptions"] == options


def test_allowed_values_are_a_rule_and_bounds_of_texts_are_told_in_words(contract):
    column = Column("x", minimum="a", enum=("b", "c"))
    valid, least = properties(contract({"k": [1], "x": ["b"]}, columns=(column,)))["x"]["quality"]
    assert (valid["metric"], valid["mustBe"]) == ("invalidValues", 0)
    assert valid["arguments"] == {"validValues": ["b", "c"]}
    assert least == {"type": "text", "description": "No value is smaller than a."}


def test_the_version_changes_with_the_content_and_only_with_it(contract):
    first, again = contract({"k": [1]}), contract({"k": [2]})
    assert first["version"] == again["version"]
    assert contract({"k": [1]}, description="More.")["version"] != first["version"]


def test_json_and_yaml_are_the_same_contract(client):
    as_json, as_yaml = (
        client.get(ADDRESS, headers={"Accept": f"application/{form}"}) for form in ("json", "yaml")
    )
    assert as_yaml.content_type == "application/yaml"
    assert yaml.safe_load(as_yaml.text) == as_json.json
    Draft201909Validator(SCHEMA).validate(as_json.json)
    assert as_json.json["id"] == "forecasts"
