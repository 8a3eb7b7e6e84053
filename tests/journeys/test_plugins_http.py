"""A plugin author adds an endpoint: what a small plugin gets, and what a broken one cannot harm."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from werkzeug.test import Client

from app.service import make_front
from tests.conftest import REGISTRY, ROOT

SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
SMALL = '''\
"""How much is forecast, by kind of model."""

from app.plugin import PERIOD, Endpoint, Measure, Member, Query, hookimpl

TOTALS = (Measure("total", "sum", ("forecast",)), Measure("rows", "count"))
SHOWN = {"source": Member(column="source"), "total": Member("number"), "rows": Member("integer")}


def by_source(call):
    """Give the total of each source in the period."""
    query = Query(call.dataset, (), call.within("date"), ("source",), TOTALS, sort=("source",))
    return {"sources": call.run(query)}


@hookimpl
def endpoints(dataset):
    """Offer ``sources``."""
    returns = {"sources": Member(members=SHOWN, many=True)}
    return [Endpoint("sources", "/sources", by_source, "Totals by source", PERIOD, returns)]
'''
FAILING = """\
from app.plugin import Endpoint, hookimpl

{before}
def answer(call):
    {answer}


@hookimpl
def endpoints(dataset):
    {offer}
    return [Endpoint("failing", "/failing", answer, "Fails")]
"""


def plugin(before="", answer="raise RuntimeError('hunter2')", offer="pass"):
    return FAILING.format(before=before, answer=answer, offer=offer)


@pytest.fixture
def settings(settings, tmp_path):
    """The usual settings, with a folder of plugins that tests may add to."""
    folder = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", folder)
    return replace(settings, plugins=folder)


@pytest.fixture
def serve(settings, registry_file, refresh):
    """Serves with one more plugin, whose endpoints the dataset of forecasts offers."""

    def start(code, *names):
        (settings.plugins / "extra.py").write_text(code)
        offered = "".join(f"      {name}: {{}}\n" for name in names)
        text = REGISTRY.replace("      summary: {}\n", f"      summary: {{}}\n{offered}")
        registry_file.write_text(text)
        job = refresh()
        assert job.status == "succeeded", job.problem
        return Client(make_front(settings))

    return start


def failed(client):
    health = client.get("/health").json
    assert health["status"] == "degraded"
    (told,) = health["plugins"]["failed"]
    return told


def test_a_plugin_of_twenty_lines_is_a_whole_endpoint(serve):
    assert len([line for line in SMALL.splitlines() if line.strip()]) <= 20
    client = serve(SMALL, "sources")
    address = "/api/v1/sources?start=2026-01-01&end=2026-01-02"
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.json["sources"] == [{"source": "seasonal", "total": 10.0, "rows": 4}]
    assert answer.json["metadata"]["model_version"] == "v0"
    assert answer.headers["X-Model-Version"] == "v0"
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    refused = client.get("/api/v1/sources?start=2026-01-01&end=x")
    assert [each["parameter"] for each in refused.json["errors"]] == ["end"]


def test_the_endpoint_of_a_small_plugin_is_documented_with_its_types(serve):
    client = serve(SMALL, "sources")
    document = client.get("/openapi.json").json
    operation = document["paths"]["/api/v1/sources"]["get"]
    assert operation["summary"] == "Totals by source"
    assert operation["tags"] == ["forecasts"]
    known = document["components"]["parameters"]
    shared = [known[each["$ref"].rpartition("/")[2]] for each in operation["parameters"]]
    told = {each["name"]: (each["required"], each["schema"]) for each in shared}
    day = {"type": "string", "format": "date"}
    assert (told["start"], told["end"]) == ((True, day), (True, day))
    assert set(told) == {"start", "end", "generation", "bigint"}
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/forecasts.sources"}
    schema = document["components"]["schemas"]["forecasts.sources"]
    row = schema["properties"]["sources"]["items"]["properties"]
    assert {name: each["type"] for name, each in row.items()} == {
        "source": ["string", "null"],
        "total": "number",
        "rows": "integer",
    }
    catalogued = client.get("/api/v1/datasets/forecasts").json
    assert catalogued["links"]["sources"] == "/api/v1/sources"


@pytest.mark.parametrize(
    "answer",
    [
        "raise RuntimeError('hunter2')",
        "raise KeyError('hunter2')",
        "raise SystemExit('hunter2')",
        "raise RecursionError('hunter2')",
        "return None",
        "return ['hunter2']",
        "return {'hunter2': object()}",
        "return call['nothing']",
        "from app.plugin import Query; return {'rows': call.run(Query(call.dataset, ('no',)))}",
    ],
)
def test_a_plugin_that_fails_on_a_call_is_named_and_harms_nothing_else(serve, answer):
    client = serve(plugin(answer=answer), "failing")
    assert client.get("/health").json["status"] == "healthy"
    refused = client.get("/api/v1/failing")
    assert refused.status_code == 500
    assert refused.json["type"] == "urn:assay:problem:endpoint-failed"
    assert refused.json["plugin"] == "extra"
    assert "hunter2" not in refused.text
    assert failed(client)["plugin"] == "extra"
    assert "hunter2" not in client.get("/health").text
    assert client.get(SERIES).status_code == 200


def test_a_plugin_that_takes_its_time_keeps_nobody_else_waiting(serve):
    client = serve(plugin(before="import time", answer="time.sleep(2); return {}"), "failing")

    def took(address):
        started = time.monotonic()
        assert client.get(address).status_code == 200
        return time.monotonic() - started

    # All of one flight: one is made, and the others wait for it.
    with ThreadPoolExecutor(40) as threads:
        slow = [threads.submit(took, "/api/v1/failing") for _ in range(40)]
        time.sleep(0.2)
        address = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-{:02}"
        quick = [took(address.format(day)) for day in range(1, 29)]
    assert sum(quick) < 1.5
    assert max(each.result() for each in slow) < 4


@pytest.mark.parametrize(
    "code",
    [
        "import nothing_of_this_name",
        "raise SystemExit(1)",
        "def",
        "from app.plugin import hookimpl\n@hookimpl\ndef endpoint(dataset): return []\n",
        "x = 1\n",
        plugin(offer="raise ValueError('hunter2')"),
        plugin(offer="return 7"),
        plugin(offer="return ['failing']"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_and_harms_nothing_else(serve, code):
    client = serve(code)
    told = failed(client)
    assert told["plugin"] == "extra"
    assert told["reason"]
    assert "hunter2" not in client.get("/health").text
    assert client.get(SERIES).status_code == 200
    assert client.get("/openapi.json").status_code == 200


def test_what_a_lost_plugin_offered_is_not_found_and_the_rest_is_refreshed(serve):
    client = serve("import nothing_of_this_name", "sources")
    assert client.get("/api/v1/sources").status_code == 404
    assert client.get(SERIES).status_code == 200


def test_two_plugins_may_not_bring_one_endpoint(serve, settings, registry_file, refresh):
    client = serve(SMALL, "sources")
    shutil.copy(settings.plugins / "extra.py", settings.plugins / "other.py")
    registry_file.write_text(registry_file.read_text() + "\n# looked at again\n")
    job = refresh(force=True)
    assert job.status == "failed"
    assert "'extra' and 'other'" in job.problem["errors"][0]["message"]
    assert client.get("/api/v1/sources?start=2026-01-01&end=2026-01-02").status_code == 200
