"""Spans go to a collector, with what a log line tells; who does not trace needs nothing of it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import ROOT, free_port, servers
from tests.journeys.conftest import until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SERVER_KIND = 2


class Collector:
    """Takes what exporters send by OTLP over HTTP, on a port of its own."""

    def __init__(self):
        self.received = received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def spans(self):
        """Give the spans by their request ids, and the names of the services they are of."""
        spans, services = {}, set()
        for path, body in list(self.received):
            assert path == "/v1/traces"
            for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                services.add(attributes(each.resource)["service.name"])
                for scope in each.scope_spans:
                    spans |= {attributes(span)["assay.request_id"]: span for span in scope.spans}
        return spans, services


def attributes(told):
    values = {each.key: each.value for each in told.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def traced(dashboard_settings, collector):
    """A service that sends its spans to the collector."""
    with (
        pytest.MonkeyPatch.context() as patch,
        servers(dashboard_settings, dashboard_settings.state.parent) as start,
    ):
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield start(workers=1, tracing="otlp")


def ask(url, request_id, **headers):
    asking = Request(url, headers={"X-Request-Id": request_id, **headers})
    try:
        with urlopen(asking, timeout=30) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def test_a_span_tells_what_its_log_line_tells(traced, collector):
    items = f"{traced.url}/api/v1/items"
    assert ask(f"{items}?q=Antenna", "made", **TRACEPARENT) == 200
    assert ask(f"{items}?q=Antenna", "kept") == 200
    assert ask(f"{items}?limt=3", "refused") == 400
    assert ask(f"{traced.url}/nowhere", "nowhere") == 404
    until(lambda: {"made", "kept", "refused", "nowhere"} <= collector.spans()[0].keys())
    spans, services = collector.spans()
    assert services == {"assay"}
    assert {span.kind for span in spans.values()} == {SERVER_KIND}
    told = attributes(spans["made"])
    assert spans["made"].name == "GET /api/v1/items"
    assert told == {
        "http.request.method": "GET", "http.route": "/api/v1/items",
        "http.response.status_code": 200, "assay.request_id": "made", "assay.generation": 1,
        "assay.dataset": "items", "assay.cache": "made",
    }  # fmt: skip
    assert attributes(spans["kept"])["assay.cache"] == "kept"
    assert attributes(spans["refused"])["error.type"] == "invalid-parameter"
    assert attributes(spans["refused"])["http.response.status_code"] == 400
    assert (spans["nowhere"].name, "http.route" in attributes(spans["nowhere"])) == ("GET", False)


def test_a_trace_goes_on_and_its_id_is_in_the_log(traced, collector):
    ask(f"{traced.url}/api/v1/items", "child", **TRACEPARENT)
    ask(f"{traced.url}/api/v1/items", "root")
    ask(f"{traced.url}/api/v1/items", "broken", traceparent="00-zz-zz-01")
    until(lambda: {"child", "root", "broken"} <= collector.spans()[0].keys())
    spans, _ = collector.spans()
    assert (spans["child"].trace_id.hex(), spans["child"].parent_span_id.hex()) == (TRACE, PARENT)
    for name in ("root", "broken"):
        assert spans[name].parent_span_id == b""
        assert spans[name].trace_id.hex() != TRACE
    lines = [json.loads(line) for line in traced.told().splitlines()]
    told = {line["request_id"]: line["trace_id"] for line in lines if line["event"] == "request"}
    assert {name: told[name] for name in ("child", "root", "broken")} == {
        name: spans[name].trace_id.hex() for name in ("child", "root", "broken")
    }


def test_neither_a_path_nor_a_query_nor_a_header_is_sent(traced, collector, dashboard_admin):
    canary = "canary-7QX"
    key = dashboard_admin["X-API-Key"]
    for number, path in enumerate((f"/{canary}", f"/api/v1/items?q={canary}", f"/health?k={key}")):
        asked = {**dashboard_admin, "User-Agent": canary, "Referer": canary}
        ask(traced.url + path, f"r-{number}", **asked)
    until(lambda: {"r-0", "r-1", "r-2"} <= collector.spans()[0].keys())
    sent = b"".join(body for _, body in collector.received)
    assert canary.encode() not in sent
    assert key.encode() not in sent
    assert key.split("_")[2].encode() not in sent


@pytest.mark.usefixtures("client")
def test_a_collector_that_is_gone_keeps_nobody_waiting(server, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    # How long the exporter goes on trying is its own setting, and all that a stop may wait for.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    running = server(workers=1, tracing="otlp")
    for number in range(50):
        started = time.monotonic()
        assert ask(f"{running.url}/api/v1/items", f"r-{number}") == 200
        assert time.monotonic() - started < 5
    started = time.monotonic()
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    assert time.monotonic() - started < 10
    assert all(json.loads(line) for line in running.told().splitlines())


def run(code, settings):
    command = [sys.executable, "-c", code]
    told = {"PATH": "", **settings.environment()}
    return subprocess.run(
        command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=60, check=False
    )


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from app.cli import main
main(["serve"])
"""
UNTRACED = """
import sys
sys.modules["opentelemetry"] = None
from app.service import front_from_environment
front_from_environment()
assert "app.service.tracing" not in sys.modules
"""


@pytest.mark.usefixtures("client")
def test_without_the_extra_the_service_says_what_is_missing(settings):
    ran = run(WITHOUT, replace(settings, tracing="otlp", port=free_port()))
    assert ran.returncode == 2
    assert "ASSAY_TRACING: otlp needs an extra: pip install 'assay-registry[otel]'" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.usefixtures("client")
def test_who_does_not_trace_needs_nothing_of_it(settings):
    ran = run(UNTRACED, settings)
    assert ran.returncode == 0, ran.stderr
