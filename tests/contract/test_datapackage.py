"""All datasets as a Data Package: valid by the profile of version 2, and true of the exports."""

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files

import pyarrow as pa
import pytest
from jsonschema import Draft7Validator

PROFILE = json.loads(files("dplib").joinpath("profiles/2.0/datapackage.json").read_text())
ADDRESS = "/api/v1/datapackage.json"
# How a field of each type is read from CSV.
READ = {
    "string": str,
    "integer": int,
    "number": Decimal,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "array": json.loads,
    "object": json.loads,
}
ODD = """\
  odd:
    source: gold
    path: odd.parquet
    keys: [a b, select]
    lineage: {dataset_id: {value: x}, model_version: {value: none}, generated_at: at}
    columns:
      n: {minimum: 0, maximum: 9, description: A number.}
      word: {enum: [one, two], unique: true}
"""


@pytest.fixture
def package(client, registry_file, write_table, refresh):
    """A client after a refresh that adds a dataset of many types, and the package it gives."""
    write_table(
        "odd",
        {
            "a b": [1],
            "select": ["x"],
            "at": pa.array([0], pa.timestamp("us", tz="UTC")),
            "n": [5],
            "word": ["one"],
            "price": pa.array([Decimal("1.10")], pa.decimal128(38, 2)),
            "on": [True],
            "list": [[1]],
            "struct": [{"f": 1}],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "blob": [b"\xff"],
            "missing": pa.array([None], pa.int64()),
        },
    )
    registry_file.write_text(registry_file.read_text() + ODD)
    assert refresh().status == "succeeded"
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    return answer.json


def resource(package, name):
    return next(each for each in package["resources"] if each["name"] == name)


def test_it_is_a_data_package_of_all_datasets_by_the_published_profile(package):
    Draft7Validator(PROFILE).validate(package)
    names = [each["name"] for each in package["resources"]]
    assert names == ["items", "forecasts", "inventory", "odd"]
    assert package["version"] == "2"


def test_the_profile_refuses_what_is_no_data_package(package):
    package["resources"][0].pop("path")
    assert list(Draft7Validator(PROFILE).iter_errors(package))


def test_a_resource_says_where_its_csv_is_and_what_is_in_it(package):
    odd = resource(package, "odd")
    assert (odd["path"], odd["mediatype"]) == ("datasets/odd/rows.csv", "text/csv")
    assert odd["schema"]["primaryKey"] == ["a b", "select"]
    fields = {each["name"]: each for each in odd["schema"]["fields"]}
    assert fields["n"]["constraints"] == {"minimum": "0", "maximum": "9"}
    assert fields["n"]["description"] == "A number."
    assert fields["word"]["constraints"] == {"unique": True, "enum": ["one", "two"]}
    assert fields["at"]["constraints"] == {"required": True}


@pytest.mark.parametrize("name", ["odd", "forecasts"])
def test_a_csv_can_be_read_by_its_description_alone(package, client, name):
    told = resource(package, name)
    content = client.get(f"/api/v1/{told['path']}")
    assert content.mimetype == told["mediatype"]
    rows = csv.DictReader(io.StringIO(content.data.decode(told["encoding"]), newline=""))
    fields = told["schema"]["fields"]
    assert rows.fieldnames == [field["name"] for field in fields]
    for row in rows:
        for field in fields:
            text = row[field["name"]]
            if text in told["schema"]["missingValues"]:
                assert not field.get("constraints", {}).get("required")
            else:
                READ[field["type"]](text)


def test_a_kept_generation_has_its_own_package(package, client):
    older = client.get(f"{ADDRESS}?generation=1")
    names = [each["name"] for each in older.json["resources"]]
    assert names == ["items", "forecasts", "inventory"]
    assert older.headers["X-Generation"] == "1"


def test_an_unchanged_package_is_confirmed_without_being_made(package, client):
    etag = client.get(ADDRESS).headers["ETag"]
    assert client.get(ADDRESS, headers={"If-None-Match": etag}).status_code == 304
