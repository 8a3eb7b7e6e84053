"""Whatever goes wrong, no answer and no line of the log tells what is none of their business."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from werkzeug.test import Client

from app.service import make_front
from tests.conftest import ROOT, forecast_columns, key_headers
from tests.journeys.test_endurance import BROKEN
from tests.leaks import PATTERNS, leaks

REFRESH = "/api/v1/data/refresh"
FILLED = {"id": "A", "job_id": "job_x", "format": "csv", "name": "items"}
QUERIES = ["", "nosuch=1", "limit=x", "start=x&end=y", "sort=nosuch", "select=", "cursor=x",
           "generation=9", "value=nosuch", "measures=sum:nosuch", "group_by=x", "with=generation:9",
           "a=1&a=2", "item_id=A", "key=%ff", "x" * 9000, "date__gte=2026-13-01"]  # fmt: skip
HEADERS = [{}, {"X-API-Key": "x"}, {"Accept": "text/plain"}, {"Range": "bytes=99999999-"},
           {"Authorization": "Bearer eyJhbGciOiJub25l.e30."}, {"X-Long": "x" * 20_000}]  # fmt: skip
BODIES = [b"{", b"[]", b'{"nosuch": 1}', b'{"source": "nosuch"}', b'{"datasets": ["nosuch"]}',
          b'{"generation": 99}', b'{"force": 1}', b"x" * 70_000, b'{"dry_run": true}']  # fmt: skip
FAILING = '''\
"""Fails, and says much."""

from app.plugin import Endpoint, hookimpl


def answer(call):
    raise RuntimeError("SELECT a FROM b in /home/us/secret.py of duckdb")


@hookimpl
def endpoints(dataset):
    """Offer ``failing``."""
    return [Endpoint("failing", "/failing", answer, "Fails")]
'''
EXAMPLES = {
    "a path": "no such file: /srv/data/x.parquet",
    "a file of ours": "cannot open ab12.duckdb",
    "SQL": 'near "SELECT * FROM t"',
    "a traceback": 'File "x", line 3, in run',
    "a class": "duckdb.BinderException: no",
    "a library": "DuckDB says no",
    "a key": "assay_AvKXa7Id_41ApmpTqVTP6ZqiWqgCCBP6y5kLF3B550A97pO",
    "a hash": "0" * 64,
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_what_leaks_is_found(kind):
    assert kind in {found for found, _ in leaks(EXAMPLES[kind])}
    assert leaks(EXAMPLES[kind], sent=EXAMPLES[kind]) == []


class Scanned:
    """A client whose every answer is scanned, with the lines that were logged meanwhile."""

    def __init__(self, settings, logged):
        self.settings, self.logged = settings, logged
        self.client = Client(make_front(settings))
        self.admin = key_headers(settings, "admin")
        self.statuses = []

    def ask(self, path, method="GET", sent="", **asked):
        answer = self.client.open(path, method=method, **asked)
        sent += path + str(asked)
        assert leaks(answer.text, sent) == [], (method, path, answer.text[:2000])
        assert leaks(str(answer.headers), sent + answer.headers.get("ETag", "")) == []
        self.statuses.append(answer.status_code)
        return answer

    def refresh(self, sent="", body=b"{}"):
        headers = {**self.admin, "Prefer": "wait=30"}
        return self.ask(REFRESH, "POST", sent, headers=headers, data=body,
                        content_type="application/json")  # fmt: skip

    def records(self, sent=""):
        for path in (REFRESH, "/health", "/metrics"):
            self.ask(path, sent=sent, headers=self.admin)

    def check_log(self, sent=""):
        """Scan the lines, but for those of faults: what happened there stands in the log alone."""
        lines = [json.loads(line) for line in self.logged.getvalue().splitlines()]
        told = [line for line in lines if "traceback" not in line]
        assert len(told) >= len(self.statuses)
        for line in told:
            assert leaks(json.dumps(line), sent) == [], line


@pytest.fixture
def scanned(logged, settings, registry_file, refresh):
    assert refresh().status == "succeeded"
    return Scanned(replace(settings, guesses_per_minute=0), logged)


def test_no_refusal_of_any_route_tells_what_is_inside(scanned):
    paths = scanned.client.get("/openapi.json").json["paths"]
    for path in [*(each.format_map(FILLED) for each in paths), "/nowhere", "/docs/x"]:
        for query in QUERIES:
            if scanned.client.get(f"{path}?{query}").status_code >= 400:
                scanned.ask(f"{path}?{query}")
        for headers in HEADERS:
            scanned.ask(f"{path}?limit=x&nosuch=1", headers=headers)
        for method in ("PUT", "DELETE", "TRACE", "NOSUCH"):
            scanned.ask(path, method)
    scanned.ask("/api/v1/items", headers={"Accept": "text/plain"})
    for body in BODIES:
        scanned.refresh(body=body)
    scanned.records()
    scanned.check_log()
    assert {400, 401, 404, 405, 406, 413, 414, 422, 431} <= set(scanned.statuses)


def test_no_broken_registry_tells_where_it_lies(scanned, registry_file):
    for text in BROKEN:
        registry_file.write_text(text)
        assert scanned.refresh(sent=text).status_code == 422
        scanned.records(sent=text)
    registry_file.unlink()
    scanned.refresh()
    scanned.records()
    scanned.check_log(sent="".join(BROKEN))


def test_no_source_that_is_refused_tells_where_it_lies(scanned, gold, registry_file, write_table):
    path, text = gold / "fact_forecast.parquet", registry_file.read_text()
    whole = path.read_bytes()
    for spoil in (
        lambda: path.write_bytes(whole[:100]),
        lambda: path.write_bytes(b"no Parquet at all"),
        lambda: path.write_bytes(whole.replace(b"seasonal", b"\xff" * 8)),
        lambda: write_table("fact_forecast", {"nosuch": [1]}),
        lambda: write_table("fact_forecast", {**forecast_columns(), "date": ["x"] * 20}),
        lambda: write_table("fact_forecast", {**forecast_columns(), "item_id": ["A"] * 20}),
        lambda: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda: (path.unlink(), path.mkdir()),
        lambda: (path.rmdir(), os.mkfifo(path)),
        path.unlink,
        lambda: shutil.rmtree(gold),
    ):
        spoil()
        answer = scanned.refresh(sent=text)
        assert answer.status_code in {422, 500, 503}, answer.text
        scanned.records(sent=text)
    scanned.check_log(sent=text)


def test_no_fault_tells_what_happened(logged, settings, registry_file, refresh, tmp_path):
    plugins = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", plugins)
    (plugins / "failing.py").write_text(FAILING)
    told = registry_file.read_text()
    registry_file.write_text(told.replace("endpoints: [items]", "endpoints: [items, failing]"))
    settings = replace(settings, plugins=plugins)
    empty = Scanned(replace(settings, state=tmp_path / "none"), logged)
    for path in ("/api/v1/items", "/health", "/health/ready", "/openapi.json", "/metrics"):
        empty.ask(path)
    scanned = Scanned(settings, logged)
    assert scanned.refresh().status_code == 200
    for _ in range(9):
        assert scanned.ask("/api/v1/failing").status_code == 500
    scanned.records()
    damage(settings.state)
    again = Scanned(settings, logged)
    for path in ("/api/v1/items?q=x", "/api/v1/datasets/forecasts/aggregate?measures=count"):
        again.ask(path)
    again.records()
    assert logged.getvalue().count('"traceback"') >= 1
    assert {500, 503} <= {*scanned.statuses, *again.statuses, *empty.statuses}


def damage(state):
    """Have the file of every Table hold something else."""
    for path in (state / "tables").glob("*.duckdb"):
        path.chmod(0o600)
        path.write_bytes(bytes(0xFF ^ each for each in path.read_bytes()))
