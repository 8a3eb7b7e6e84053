"""Every answer has its headers, refusals and 304 included; other origins read what they may."""

import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client

from app.service import make_front

SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
REFRESH = "/api/v1/data/refresh"
OURS, OTHER = "https://ours.example", "https://other.example"
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
OWN = ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json", "/openapi.yaml"]
OWN += ["/metrics", "/nowhere", "/api/v1/datasets/nosuch/rows", f"/{'x' * 9000}", SERIES]
FILLED = {"id": "A", "job_id": "job_x", "format": "csv", "name": "items"}


def addresses(client):
    """Every address of the document, and those of pages."""
    paths = client.get("/openapi.json").json["paths"]
    return [*OWN, *(path.format_map(FILLED) for path in paths)]


def test_every_answer_of_every_address_by_every_method_has_its_headers(dashboard, dashboard_admin):
    seen = set()
    for address in addresses(dashboard):
        for method in METHODS:
            for headers in ({}, {"X-API-Key": "x"}, dashboard_admin):
                if headers is dashboard_admin and (method, address) == ("POST", REFRESH):
                    continue
                answer = dashboard.open(address, method=method, headers=headers)
                check(answer, address)
                seen.add(answer.status_code)
    assert {200, 400, 401, 404, 405, 414} <= seen


def check(answer, address):
    told = answer.headers
    page = address in OWN[:5] and answer.status_code == 200 and "Allow" not in told
    assert told.getlist("Server") == ["Assay"]
    assert told.getlist("X-Content-Type-Options") == ["nosniff"]
    assert told.getlist("Referrer-Policy") == ["no-referrer"]
    (policy,) = told.getlist("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page or policy == NO_PAGE
    assert len(told.getlist("X-Request-Id")) == 1
    assert not [name for name, _ in told if name.startswith("Access-Control")]
    assert "Cache-Control" in told or "Allow" in told, (address, answer.status)
    assert ("WWW-Authenticate" in told) == (answer.status_code == 401)
    options = answer.request.method == "OPTIONS" and answer.status_code == 200
    assert ("Allow" in told) == (answer.status_code == 405 or options)
    assert "Set-Cookie" not in told


@pytest.mark.slow
@pytest.mark.usefixtures("registry_file")
def test_what_is_no_request_to_the_server_is_refused_without_a_body(server):
    place = urlsplit(server().url)
    tail = b"\r\nHost: assay\r\nConnection: close\r\n\r\n"
    too_many = b"".join(b"\r\nX-%d: 1" % number for number in range(1_000))
    for sent, status in (
        (b"hello", 400),
        (b"GET /health?q=" + b"x" * 2**16 + b" HTTP/1.1", 414),
        (b"GET /health HTTP/1.1" + too_many, 431),
    ):
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            connection.sendall(sent + tail)
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (int(head.split()[1]), body) == (status, b""), answer


def test_a_304_has_the_headers_of_its_200(dashboard):
    for address in [SERIES, "/api/v1/datasets", "/openapi.json", "/docs", "/docs/swagger-ui.css"]:
        answer = dashboard.get(address)
        for _ in range(2):
            again = dashboard.get(address, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status_code == 304
            for name in ("Content-Security-Policy", "Vary", "Cache-Control", "Referrer-Policy"):
                assert again.headers.getlist(name) == answer.headers.getlist(name), (address, name)


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", " 7", "7,7", "9" * 30, "nine"])
def test_what_is_no_length_is_refused_not_read_as_none(dashboard, dashboard_admin, length):
    given = {"CONTENT_LENGTH": length}
    answer = dashboard.post(REFRESH, headers=dashboard_admin, environ_overrides=given)
    assert answer.json["type"] == "urn:assay:problem:malformed-request"


# Other origins


def client_for(settings, origins):
    return Client(make_front(replace(settings, cors_origins=origins)))


@pytest.fixture
def shared(dashboard_settings):
    """A client of a service that lets pages of one origin read."""
    return client_for(dashboard_settings, f"{OURS},http://localhost:5173")


def allowed(answer):
    return answer.headers.getlist("Access-Control-Allow-Origin")


def preflight(client, address, origin, method="GET"):
    asks = {"Origin": origin, "Access-Control-Request-Method": method}
    asks["Access-Control-Request-Headers"] = "x-api-key,if-none-match"
    return client.options(address, headers=asks)


def test_no_origin_may_read_unless_it_is_allowed(dashboard):
    for address in addresses(dashboard):
        answer = dashboard.get(address, headers={"Origin": OURS})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Origin" not in answer.headers.get("Vary", "")


def test_an_allowed_origin_reads_every_answer_also_those_that_leave_early(shared):
    tag = shared.get(SERIES).headers["ETag"]
    for origin, told in ((OURS, [OURS]), (OTHER, []), (OURS, [OURS]), ("null", []), (None, [])):
        asks = {} if origin is None else {"Origin": origin}
        answers = [
            *(shared.get(address, headers=asks) for address in addresses(shared)),
            shared.get(SERIES, headers={**asks, "If-None-Match": tag}),
            shared.get("/health", headers={**asks, "X-API-Key": "x"}),
            shared.get("/api/v1/datasets/forecasts/rows.csv", headers=asks),
        ]
        for answer in answers:
            assert allowed(answer) == told
            (vary,) = answer.headers.getlist("Vary")
            assert vary.split(", ")[-1] == "Origin"
            assert "Access-Control-Allow-Credentials" not in answer.headers
            exposed = answer.headers.get("Access-Control-Expose-Headers", "")
            assert ("ETag" in exposed) == bool(told)


@pytest.mark.parametrize("address", [SERIES, REFRESH, "/nowhere", "/api/v1/datasets/nosuch/rows"])
def test_a_preflight_needs_no_key_and_is_the_same_for_every_address(shared, address):
    answer = preflight(shared, address, OURS, "POST")
    assert (answer.status_code, answer.data, allowed(answer)) == (204, b"", [OURS])
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "X-API-Key", "If-None-Match"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    refused = preflight(shared, address, OTHER)
    assert (refused.status_code, allowed(refused)) == (204, [])
    assert "Access-Control-Allow-Headers" not in refused.headers
    assert "Origin" in refused.headers["Vary"]


ALIKE = [
    f"{OURS}.evil.example", f"{OURS}:8443", "http://ours.example", f"{OURS}/", OURS.upper(),
    f"{OURS},{OTHER}", f"https://evil.example#{OURS}", "",
]  # fmt: skip


@pytest.mark.parametrize("origin", ALIKE)
def test_an_origin_that_only_looks_like_an_allowed_one_is_another(shared, origin):
    assert allowed(shared.get(SERIES, headers={"Origin": origin})) == []


def test_any_origin_reads_what_is_public_and_sends_no_key(dashboard_settings):
    client = client_for(dashboard_settings, "*")
    for asks in ({"Origin": OTHER}, {}):
        answer = client.get(SERIES, headers=asks)
        assert allowed(answer) == ["*"]
        assert "Origin" not in answer.headers["Vary"]
    told = preflight(client, SERIES, OTHER).headers
    assert "POST" not in told["Access-Control-Allow-Methods"]
    asking = told["Access-Control-Allow-Headers"]
    assert "Authorization" not in asking
    assert "X-API-Key" not in asking
