"""The OpenAPI document: sound, complete, true of what is answered, and the one that is kept."""

import re
import shutil
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import Client

from app.cli.demo_data import write_demo_data
from app.http import document_of
from app.query import TYPES
from app.registry import yaml_text
from app.service import Worker, make_front
from tests.conftest import ROOT
from tests.journeys.conftest import refreshed, settings_in, write_all

PERIOD = "start=2026-01-01&end=2026-01-10"
REFRESH = "/api/v1/data/refresh"
JOB = "/api/v1/data/refresh/{job_id}"
KEPT = ROOT / "docs" / "openapi.yaml"
ANSWERS = {
    "/api/v1/items": ["/api/v1/items", "/api/v1/items?q=a&limit=1"],
    "/api/v1/items/{id}/timeseries": [
        f"/api/v1/items/A/timeseries?{PERIOD}",
        f"/api/v1/items/C/timeseries?{PERIOD}",
    ],
    "/api/v1/forecasts/summary": [
        f"/api/v1/forecasts/summary?{PERIOD}",
        f"/api/v1/forecasts/summary?{PERIOD}&window=week",
        f"/api/v1/forecasts/summary?{PERIOD}&item_ids=nobody",
    ],
    "/api/v1/inventory/{id}": ["/api/v1/inventory/A", "/api/v1/inventory/A?date=2026-01-02"],
    "/api/v1/datasets": ["/api/v1/datasets"],
    "/api/v1/datasets/{name}": ["/api/v1/datasets/items", "/api/v1/datasets/forecasts"],
    "/api/v1/datapackage.json": ["/api/v1/datapackage.json"],
    "/health": ["/health"],
    "/health/live": ["/health/live"],
    "/health/ready": ["/health/ready"],
}
KEYS = {
    "items": "item_id=A",
    "forecasts": "item_id=A&date=2026-01-02",
    "inventory": "item_id=A&date=2026-01-02",
}
VALUES = {"forecasts": "forecast", "inventory": "current_stock"}
for name, keys in KEYS.items():
    own = f"/api/v1/datasets/{name}"
    ANSWERS |= {
        f"{own}/rows": [
            f"{own}/rows",
            f"{own}/rows?limit=1&count=true&sort=-item_id&item_id__ne=X",
        ],
        f"{own}/rows.{{format}}": [f"{own}/rows.json", f"{own}/rows.json?limit=1&item_id=A"],
        f"{own}/record": [f"{own}/record?{keys}", f"{own}/record?{keys}&select=item_id"],
        f"{own}/aggregate": [f"{own}/aggregate", f"{own}/aggregate?group_by=item_id&limit=1"],
        f"{own}/lineage": [f"{own}/lineage"],
        f"{own}/contract": [f"{own}/contract"],
        f"{own}/compare": [f"{own}/compare?with=generation:1"],
    }
    if name in VALUES:
        asked = f"{own}/series?value={VALUES[name]}"
        ANSWERS[f"{own}/series"] = [asked, f"{asked}&window=week&fill=null&item_id=A"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of a service that no test changes."""
    folder = tmp_path_factory.mktemp("openapi")
    write_all(folder, {})
    settings = settings_in(folder)
    refreshed(settings)
    return Client(make_front(settings))


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, item, operation


def parameters(document, path, place):
    """Give the parameters of a route, without the one that stands for all conditions."""
    item = document["paths"][path]
    told = [*item.get("parameters", ()), *item.get("get", {}).get("parameters", ())]
    known = document["components"]["parameters"]
    told = [known[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in told]
    return [each for each in told if each["in"] == place and each["schema"].get("type") != "object"]


def conditions(document, name):
    """Give the schemas of all conditions on the columns of a dataset, by their parameters."""
    return document["components"]["parameters"][f"{name}-filters"]["schema"]["properties"]


def schema_of(document, path, status="200"):
    response = document["paths"][path]["get"]["responses"][status]
    reference = response.get("$ref", "")
    if reference:
        response = document["components"]["responses"][reference.rpartition("/")[2]]
    schema = next(iter(response["content"].values()))["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    # With the components beside it, what it refers to is found.
    return {**schema, "components": document["components"]}


def references(part):
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_is_sound(document):
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_yaml_and_json_are_one_document(client, document):
    answer = client.get("/openapi.yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.data) == document


def test_each_operation_has_an_id_of_its_own(document):
    ids = [operation["operationId"] for *_, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", each) for each in ids)


def test_each_operation_says_what_it_does_and_how_it_refuses(document):
    for path, _, _, operation in operations(document):
        assert operation["summary"], path
        assert operation["tags"], path
        refusals = {status for status in operation["responses"] if status[0] in "45"}
        assert {"400", "401", "414", "500"} <= refusals, path


def test_every_reference_leads_somewhere(document):
    found = set(references(document))
    assert found
    for reference in found:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_route_of_the_api_is_documented_and_no_other(document, client):
    assert set(ANSWERS) | {REFRESH, JOB} == set(document["paths"])
    assert set(document["paths"][REFRESH]) == {"get", "post"}
    assert client.get(REFRESH).status_code == 401


def test_each_path_names_its_parameters(document):
    for path in document["paths"]:
        told = {each["name"] for each in parameters(document, path, "path")}
        assert told == set(re.findall("{(.*?)}", path))


@pytest.mark.parametrize("path", [path for path in ANSWERS if not path.startswith("/health")])
def test_what_is_parsed_is_what_is_documented(client, document, path):
    documented = parameters(document, path, "query")
    refused = client.get(f"{ANSWERS[path][0].partition('?')[0]}?surely_unknown=1")
    told = {each["parameter"]: each["allowed"] for each in refused.json["errors"]}
    assert sorted(told["surely_unknown"]) == sorted(each["name"] for each in documented)
    required = {each["name"] for each in documented if each.get("required")}
    assert set(told) - {"surely_unknown"} == required


@pytest.mark.parametrize("name", list(KEYS))
def test_each_documented_condition_is_read_and_no_other(client, document, name):
    values = {
        None: "A",
        "date": "2026-01-02",
        "date-time": "2026-01-02T00:00:00Z",
        "number": "1.5",
        "integer": "1",
        "boolean": "true",
    }
    told = conditions(document, name)
    held = {
        each["name"]: each["type"]
        for each in client.get(f"/api/v1/datasets/{name}").json["columns"]
    }
    asked = {(c, op) for c, kind in held.items() for op in TYPES[kind].operators}
    # A column is a parameter itself; its long form is only told where that name is taken.
    taken = {column for column in held if f"{column}__eq" in told}
    assert taken == set(KEYS[name].replace("=", "&").split("&")) & set(held)
    assert set(told) == {f"{c}__{op}" for c, op in asked if op != "eq" or c in taken}
    for asked, schema in told.items():
        column = held[asked.rpartition("__")[0]]
        kind = (
            "boolean"
            if asked.endswith("isnull")
            else {"string": None, "timestamp": "date-time"}.get(column, column)
        )
        answer = client.get(f"/api/v1/datasets/{name}/rows?{asked}={values[kind]}")
        assert answer.status_code == 200, (asked, schema, answer.text)


def examples(parameter):
    """Give values that a parameter takes by its schema, and some that it does not."""
    schema = parameter["schema"]
    if schema["type"] == "array":
        among = schema["items"].get("enum")
        return (among[:2], [among[0] + "x"]) if among else (["A", "A,B"], [])
    if "enum" in schema:
        return schema["enum"], [*(each.upper() for each in schema["enum"]), ""]
    if schema["type"] == "integer":
        least, most = schema.get("minimum", 0), schema.get("maximum", 7)
        return [least, most], [least - 1, most + 1, "x", ""]
    if schema.get("format") == "date":
        return ["2026-01-10", "9999-12-31"], ["2026-01-32", "x", ""]
    return ["A", "", "ü/%"], []


@pytest.mark.parametrize("path", [path for path in ANSWERS if "datasets" not in path])
def test_a_documented_parameter_takes_what_its_schema_says(client, document, path):
    shown = parameters(document, path, "query")
    needed = {each["name"]: "2026-01-01" for each in shown if each.get("required")}
    for parameter in shown:
        if parameter["name"] == "generation":
            # Which ones are kept no schema can say.
            continue
        taken, refused = examples(parameter)
        for values, statuses in ((taken, {200, 404}), (refused, {400})):
            for value in values:
                given = {**needed, parameter["name"]: value}
                if parameter["name"] == "start":
                    given["end"] = "9999-12-31"
                query = "&".join(f"{name}={quote(str(each))}" for name, each in given.items())
                address = f"{ANSWERS[path][0].partition('?')[0]}?{query}"
                assert client.get(address).status_code in statuses, address


@pytest.mark.parametrize("address", [each for several in ANSWERS.values() for each in several])
def test_an_answer_is_as_documented(client, document, address):
    path = next(path for path, several in ANSWERS.items() if address in several)
    schema = schema_of(document, path)
    answer = client.get(address)
    assert answer.status_code == 200
    Draft202012Validator(schema).validate(answer.json)
    assert set(answer.json) <= set(schema.get("properties", answer.json))
    headers = document["paths"][path]["get"]["responses"]["200"].get("headers", {})
    for name in headers:
        assert name in answer.headers or name.startswith(("X-Dataset-", "X-Model-"))


@pytest.mark.parametrize(
    "case",
    [
        ("/api/v1/items", "/api/v1/items?limit=0", "400"),
        ("/api/v1/inventory/{id}", "/api/v1/inventory/C", "404"),
        ("/api/v1/items", f"/api/v1/items?q={'x' * 9000}", "414"),
    ],
)
def test_a_refusal_is_as_documented(client, document, case):
    path, address, status = case
    answer = client.get(address)
    assert str(answer.status_code) == status
    Draft202012Validator(schema_of(document, path, status)).validate(answer.json)


@pytest.mark.parametrize("name", ["items", "forecasts", "inventory"])
def test_one_dataset_has_a_sound_document_of_its_own(client, document, name):
    part = client.get(f"/api/v1/datasets/{name}/openapi.json").json
    assert [str(error) for error in OpenAPIV31SpecValidator(part).iter_errors()] == []
    tagged = {path for path, *_, operation in operations(document) if name in operation["tags"]}
    assert set(part["paths"]) == tagged
    assert tagged


def test_a_dataset_that_is_not_there_has_no_document(client):
    assert client.get("/api/v1/datasets/nobody/openapi.json").status_code == 404


def test_types_of_columns_are_those_of_the_table(document):
    schema = schema_of(document, "/api/v1/items/{id}/timeseries")
    row = schema["properties"]["timeseries"]["items"]["properties"]
    assert row["date"] == {"type": "string", "format": "date"}
    assert row["forecast"]["type"] == ["number", "null"]
    assert row["generated_at"] == {"type": "string", "format": "date-time"}
    assert row["model_version"] == {"type": "string"}


class Page(HTMLParser):
    """Gathers what a page loads, and any text of its scripts and styles."""

    def __init__(self):
        super().__init__()
        self.loads, self.inline, self._in = [], [], ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._in = tag
        self.loads += [given[name] for name in ("src", "href") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        if self._in in {"script", "style"} and data.strip():
            self.inline.append(data)


def test_the_page_loads_only_our_own_files_and_runs_nothing_inline(client):
    answer = client.get("/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(answer.text)
    assert page.inline == []
    assert len(page.loads) >= 4
    for address in page.loads:
        assert address.startswith("/docs/")
        asset = client.get(address)
        assert asset.status_code == 200, address
        assert asset.data
        assert asset.headers["ETag"]
        again = client.get(address, headers={"If-None-Match": asset.headers["ETag"]})
        assert again.status_code == 304


@pytest.mark.parametrize(
    "address", ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json"]
)
def test_the_page_is_under_a_strict_policy(client, address):
    policy = dict(
        each.strip().partition(" ")[::2]
        for each in client.get(address).headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any(word in str(policy) for word in ("unsafe", "http:", "https:", "*"))


def test_the_kept_document_is_that_of_the_shipped_registry(tmp_path):
    write_demo_data(tmp_path / "data" / "gold", items=60, days=90)
    shutil.copy(ROOT / "datasets.yaml", tmp_path)
    settings = settings_in(tmp_path)
    refreshed(settings)
    worker = Worker(settings)
    text = yaml_text(document_of(worker.app_for(worker.current.pin())))
    told = "python -m app openapi --format yaml > docs/openapi.yaml"
    assert KEPT.read_text().strip() == text.strip(), f"run `{told}` on the demo's data"
