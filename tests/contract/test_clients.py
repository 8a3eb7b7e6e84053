"""What generators make of the document: a client in Python that is used, types that compile."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest
import yaml

ROOT = Path(__file__).parents[2]
TYPESCRIPT = Path(__file__).parent / "typescript"


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The demo's document, as JSON in a file."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())))
    return path


@pytest.fixture(scope="module")
def generated(document):
    """The client that openapi-python-client makes of the document, importable."""
    folder = document.parent / "client"
    command = ["openapi-python-client", "generate", "--path", document, "--output-path", folder]
    # It formats what it made with the ruff of the path.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unable" not in done.stdout.lower() + done.stderr.lower(), done.stdout
    sys.path.insert(0, str(folder))
    yield "assay_client"
    sys.path.remove(str(folder))


@pytest.fixture
def call(generated, client):
    """Calls an operation of the generated client on the service, by tag and id."""
    arguments = {"transport": httpx.WSGITransport(app=client.application)}
    made = importlib.import_module(generated).Client("http://assay", httpx_args=arguments)

    def operation(tag, name, *path, **parameters):
        module = importlib.import_module(f"{generated}.api.{tag}.{name}")
        return module.sync(*path, client=made, **parameters)

    with made:
        yield operation


def test_a_generated_client_reads_typed_rows_by_typed_filters(call, generated):
    models = importlib.import_module(f"{generated}.models")
    filters = models.RowsForecastsFilters(date_gte=date(2026, 1, 9), actual_isnull=True)
    rows = call("forecasts", "rows_forecasts", item_id="A", filters=filters, count=True)
    assert [row.date for row in rows.data] == [date(2026, 1, 9), date(2026, 1, 10)]
    assert rows.data[0].forecast == 10.0
    assert rows.data[0].actual is None
    assert rows.total == 2
    assert rows.metadata.model_version == "v1"


def test_a_generated_client_walks_through_the_pages(call):
    seen, cursor = [], None
    while True:
        given = {"cursor": cursor} if cursor else {}
        page = call("forecasts", "rows_forecasts", limit=7, **given)
        seen += [(row.item_id, row.date) for row in page.data]
        if page.next_ is None:
            break
        cursor = page.next_.partition("cursor=")[2]
    assert len(set(seen)) == len(seen) == 20


def test_a_generated_client_gets_a_typed_problem(call):
    refused = call("items", "record_items", item_id="nobody")
    assert type(refused).__name__ == "Problem"
    assert refused.status == 404


def test_a_generated_client_knows_the_dashboards_routes(call):
    given = {"start": date(2026, 1, 1), "end": date(2026, 1, 2)}
    series = call("forecasts", "timeseries_forecasts", "B/1", **given)
    assert [row.forecast for row in series.timeseries] == [2.0, 3.0]
    summary = call("forecasts", "summary_forecasts", **given)
    assert summary.summary.items_count == 2


def test_types_for_a_dashboard_compile_and_catch_mistakes(document, tmp_path):
    if shutil.which("npm") is None:
        told = "npm was not found"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    shutil.copytree(TYPESCRIPT, tmp_path, dirs_exist_ok=True)
    for command in (
        ["npm", "ci", "--silent", "--no-audit", "--no-fund"],
        ["npx", "openapi-typescript", str(document), "--output", "api.ts"],
        ["npx", "tsc", "--noEmit", "--strict", "--skipLibCheck", "dashboard.ts"],
    ):
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command[:2]}: {done.stdout}{done.stderr}"
