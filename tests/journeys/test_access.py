"""What a caller may not read does not exist for it: at no address, in no document, in no cache."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from werkzeug.test import Client

from app.access import keep_key, new_key
from app.service import make_front
from tests.conftest import REGISTRY, key_headers
from tests.journeys.conftest import refreshed

HIDDEN = "inventory"
OTHERS = {"items", "forecasts"}
PAST = datetime(2026, 1, 1, tzinfo=UTC)
OWN = f"/api/v1/datasets/{HIDDEN}"
ROUTES = [
    "/api/v1/inventory/A",
    *(OWN + path for path in (
        "", "/rows", "/rows?current_stok=1", "/rows.csv", "/rows.parquet", "/rows?generation=1",
        "/record?item_id=A&date=2026-01-01", "/aggregate?measures=count", "/openapi.json",
        "/series?value=current_stock", "/lineage", "/contract", "/compare?with=generation:1",
    )),
]  # fmt: skip
CATALOGUES = ["/api/v1/datasets", "/api/v1/datapackage.json", "/openapi.json", "/openapi.yaml"]
CATALOGUES += ["/docs/start.js", "/health", "/api/v1/datasets?generation=1", "/metrics"]


def closed(text, scope="stock"):
    """The registry with the inventory behind a scope."""
    return text.replace("path: fact_inventory", f"access: {scope}\n    path: fact_inventory")


@pytest.fixture(scope="module")
def settings(module_settings):
    """Settings of one service for all who only read."""
    return module_settings


@pytest.fixture(scope="module")
def client(settings):
    """A client on a second Generation, in which inventory is closed; in the first it was not."""
    refreshed(settings)
    settings.registry.write_text(closed(REGISTRY))
    refreshed(settings)
    return Client(make_front(settings))


@pytest.fixture(scope="module")
def stock(settings):
    return key_headers(settings, "stock")


@pytest.fixture(scope="module")
def admin(settings):
    return key_headers(settings, "admin")


def strangers(settings):
    """Headers of callers who may not read the inventory, by what they are."""
    held = {scope: key_headers(settings, scope) for scope in ("read", "refresh", "finance")}
    return {"nobody": {}, **held}


def outsiders(settings):
    """Headers whose key is none, by why."""
    wrong = {"bad": {"X-API-Key": "x"}}
    for why, moments in {"expired": {"expires_at": PAST}, "revoked": {"revoked_at": PAST}}.items():
        key, record = new_key(why, "stock", "admin")
        keep_key(settings.keys_file, replace(record, **moments))
        wrong[why] = {"X-API-Key": key}
    return wrong


def told(answer):
    """What an answer says, but for its request."""
    text = answer.text.replace("absent_one", HIDDEN).partition("urn:assay:request")[0]
    return answer.status, text, set(answer.headers.keys())


@pytest.mark.parametrize("path", ROUTES)
def test_whoever_has_the_scope_reads_and_nobody_else(client, settings, stock, admin, path):
    for headers in (stock, admin):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            assert answer.headers["Cache-Control"] == "private, no-store"
    for who, headers in strangers(settings).items():
        assert client.get(path, headers=headers).status_code == 404, who
    for why, headers in outsiders(settings).items():
        assert client.get(path, headers=headers).status_code == 401, why


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_what_is_hidden_answers_like_what_is_not_there(client, stock, method):
    for path in ROUTES:
        absent = path.replace(HIDDEN, "absent_one")
        assert told(client.open(path, method=method)) == told(client.open(absent, method=method))


@pytest.mark.parametrize("path", CATALOGUES)
def test_no_catalogue_and_no_document_names_what_is_hidden(client, settings, stock, admin, path):
    for who, headers in strangers(settings).items():
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200
        assert HIDDEN not in answer.text, who
        assert "no-store" not in answer.headers["Cache-Control"] or path in ("/health", "/metrics")
    for headers in (stock, admin):
        answer = client.get(path, headers=headers)
        assert HIDDEN in answer.text or path == "/metrics"
        assert "no-store" in answer.headers["Cache-Control"]


def test_the_health_of_what_is_hidden_is_not_told(settings, client, stock):
    """One whose dataset is late for nobody else."""
    text = settings.registry.read_text()
    late = "freshness: {warn_after: {count: 1, period: minute}}\n    path: fact_inventory"
    settings.registry.write_text(text.replace("path: fact_inventory", late))
    refreshed(settings)
    front = Client(make_front(settings))
    assert front.get("/health", headers=stock).json["status"] == "degraded"
    assert front.get("/health", headers=stock).json["datasets"][HIDDEN] == "warn"
    assert front.get("/health").json["status"] == "healthy"
    assert 'assay_health{status="healthy"} 1.0' in front.get("/metrics").text
    settings.registry.write_text(text)
    refreshed(settings)


def test_a_hint_does_not_name_what_is_hidden(client, stock):
    assert "inventory" not in client.get("/api/v1/datasets/inventry").text
    assert "inventory" in client.get("/api/v1/datasets/inventry", headers=stock).text


def test_the_document_of_others_refers_to_nothing_that_is_not_in_it(client):
    document = client.get("/openapi.json").json
    text = json.dumps(document)
    for kind, named in document["components"].items():
        for name in named:
            assert kind == "securitySchemes" or f"#/components/{kind}/{name}" in text
    assert {tag["name"] for tag in document["tags"]} == OTHERS


def test_an_answer_that_was_kept_for_one_is_not_given_to_another(client, stock):
    for path in (OWN + "/rows", OWN + "/rows.csv", "/api/v1/datasets"):
        seen = client.get(path, headers=stock)
        again = client.get(path, headers={"If-None-Match": seen.headers["ETag"]})
        assert again.status_code == (200 if path == "/api/v1/datasets" else 404)
        assert HIDDEN not in again.text.replace(f"{path}", "")


def test_an_address_that_was_answered_to_one_is_not_given_to_another(
    client, settings, stock, admin
):
    for path in (OWN + "/rows", "/api/v1/datasets", "/api/v1/inventory/A"):
        for _ in range(2):
            assert HIDDEN in client.get(path, headers=stock).text
            assert client.get(path, headers=admin).data == client.get(path, headers=stock).data
            for who, headers in strangers(settings).items():
                assert HIDDEN not in client.get(path, headers=headers).text.replace(path, ""), who
