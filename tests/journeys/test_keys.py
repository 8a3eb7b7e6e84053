"""Keys in the right place let in, keys in a wrong place are refused, and none is ever told."""

import json
from dataclasses import replace
from urllib.parse import quote

import jwt
import pytest
import structlog
from werkzeug.test import Client

from app.access import keep_key, new_key
from app.service import make_front

REFRESH = "/api/v1/data/refresh"
ROUTES = ["/health", "/api/v1/items", "/api/v1/datasets", "/docs", "/nowhere"]


@pytest.fixture
def key(settings):
    return canary(settings)


@pytest.fixture(scope="module")
def dashboard_key(dashboard_settings):
    return canary(dashboard_settings)


def canary(settings):
    key, record = new_key("canary", "read")
    keep_key(settings.keys_file, record)
    return key


def test_without_a_key_configured_a_refresh_is_refused_not_open(client, settings):
    assert not settings.keys_file.exists()
    for method in ("GET", "POST"):
        answer = client.open(REFRESH, method=method)
        assert (answer.status_code, answer.json["scope"]) == (401, "refresh")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="assay"'


def thrice(key):
    return quote(quote(key.replace("_", "%5F")))


@pytest.mark.parametrize(
    "encode", [str, quote, lambda key: quote(quote(key).replace("_", "%5F")), thrice]
)
@pytest.mark.parametrize(
    "place", ["/api/v1/items?key={}", "/health?a=1&{}=x", "/api/v1/{}", "/{}/x"]
)
def test_a_key_in_the_address_is_refused(dashboard, dashboard_key, place, encode):
    answer = dashboard.get(place.format(encode(dashboard_key)))
    assert answer.json["type"] == "urn:assay:problem:credential-in-address"
    assert dashboard_key not in answer.text


def test_a_token_in_the_address_is_refused(dashboard):
    token = jwt.encode({"sub": "ann"}, "x" * 32)
    answer = dashboard.get(f"/api/v1/items?access_token={token}")
    assert answer.json["type"] == "urn:assay:problem:credential-in-address"


def wrong_places(key):
    """Requests with a key where none belongs."""
    yield "GET", f"/api/v1/items?q={key}", {}
    yield "GET", f"/api/v1/datasets/{key}", {}
    yield key, "/api/v1/items", {}
    names = ("X-Request-Id", "User-Agent", "Cookie", "Prefer", "Accept", "If-None-Match", "Range")
    for name in (*names, "Content-Type", "Authorization", "X-Forwarded-For", "Referer", "Origin"):
        yield "GET", "/api/v1/items", {name: key}
        yield "POST", REFRESH, {name: key}
    yield "GET", "/api/v1/items", {"Authorization": f"Basic {key}"}
    yield "GET", "/api/v1/items", {"Authorization": f"Bearer {key} {key}"}
    yield "GET", "/api/v1/items", {"Authorization": f"Bearer {key}", "X-API-Key": key[::-1]}


def test_a_key_is_never_told_by_a_log_or_a_body_wherever_it_was_put(logged, client, key, admin):
    wrong = ({key: 1}, {"source": key}, {"datasets": [key]}, {"generation": key}, [key], key)
    bodies = [
        *(client.open(path, method=method, headers=h) for method, path, h in wrong_places(key)),
        *(client.post(REFRESH, headers=admin, json=body) for body in wrong),
    ]
    told = logged.getvalue() + "".join(f"{each.text}{each.headers}" for each in bodies)
    assert logged.getvalue().count('"event":"request"') == len(bodies)
    for canary in (key, admin["X-API-Key"]):
        assert canary[15:] not in told


def test_a_fault_does_not_tell_a_key(logged, key):
    try:
        int(f"{key}{'x' * 2000}{key}{'y' * 2000}")
    except ValueError:
        structlog.get_logger().exception(key, at={key: [f"Bearer {key}"]})
    assert key[:14] in logged.getvalue()
    assert key[15:40] not in logged.getvalue()


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_a_wrong_key_is_401_at_every_address_by_every_method(dashboard, path, method):
    for wrong in ("x", "é", "a" * 8000, "assay_"):
        for headers in ({"X-API-Key": wrong}, {"Authorization": f"Bearer {wrong}"}):
            answer = dashboard.open(path, method=method, headers=headers)
            assert answer.status_code == 401
            assert "WWW-Authenticate" in answer.headers


def test_a_key_of_the_environment_lets_in(settings, registry_file, refresh):
    refresh()
    key, record = new_key("scheduler", "refresh")
    told = replace(settings, keys=json.dumps({"keys": [record.as_fact()]}))
    assert Client(make_front(told)).get(REFRESH, headers={"X-API-Key": key}).status_code == 200


def test_who_guesses_is_told_when_to_come_again(client):
    statuses = [client.get("/health", headers={"X-API-Key": "x"}).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    refused = client.get("/health", headers={"X-API-Key": "x"})
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_request_in_pieces_is_refused_whatever_it_asks_for(dashboard, method):
    pieces = {"HTTP_TRANSFER_ENCODING": "chunked"}
    assert dashboard.open("/health", method=method, environ_overrides=pieces).status_code == 411


def test_headers_have_a_limit(dashboard):
    for size, status in ((15_000, 200), (17_000, 431)):
        assert dashboard.get("/health", headers={"X-Padding": "x" * size}).status_code == status
