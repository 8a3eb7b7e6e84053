"""Every credential at every route of the document by every method: exactly what it may, no more."""

import json
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import jwt
import pytest
from werkzeug.test import Client

from app.access import keep_key, new_key
from app.service import make_front
from tests.conftest import REGISTRY
from tests.journeys.conftest import refreshed, settings_in, write_all

PAST, FUTURE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
SECRET = "a secret of at least thirty-two bytes"  # noqa: S105 - it opens nothing but this test
HIDDEN, SCOPE = "inventory", "stock"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
FILLED = {"id": "A", "job_id": "job_x", "format": "csv", "name": "items"}
JSON = "application/json"
NEEDED = {
    "timeseries": "start=2026-01-01&end=2026-01-10",
    "summary": "start=2026-01-01&end=2026-01-10",
    "compare": "with=generation:1",
    "items/record": "item_id=A",
    "record": "item_id=A&date=2026-01-01",
    "forecasts/series": "value=forecast",
    "inventory/series": "value=current_stock",
}


@dataclass(frozen=True)
class Case:
    """A credential: its headers, and its scopes, or why it is none."""

    headers: dict
    scopes: frozenset = frozenset()
    refused: int = 0


@dataclass(frozen=True)
class Site:
    """A service whose inventory is behind a scope, with callers of every kind."""

    client: Client
    settings: object
    cases: dict

    def state(self):
        """What no refused request may change: the pointer, the jobs, the keys, what is staged."""
        folder = self.settings.state
        files = [p for p in sorted(folder.rglob("*")) if p.parent.name in {"jobs", "staging"}]
        return (folder / "CURRENT").readlink(), files, self.settings.keys_file.read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    write_all(folder, {})
    closed = REGISTRY.replace("path: fact_inv", f"access: {SCOPE}\n    path: fact_inv")
    (folder / "datasets.yaml").write_text(closed)
    (folder / "secret").write_text(SECRET)
    settings = replace(
        settings_in(folder),
        token_keys=folder / "secret",
        token_algorithms="HS",  # noqa: S106 - no password
        token_issuer="us",  # noqa: S106 - no password
        token_audience="assay",  # noqa: S106 - no password
    )
    refreshed(settings)
    return Site(Client(make_front(settings)), settings, dict(cases(settings)))


def cases(settings):
    """Give each kind of credential by its name."""

    def made(*scopes, **moments):
        key, record = new_key("x", *scopes)
        keep_key(settings.keys_file, replace(record, **moments))
        return key

    admin, read = made("admin"), made("read")
    yield "nothing", Case({})
    for name, (header, text) in wrong(admin, made).items():
        yield name, Case({header: text}, refused=401)
    yield "two different", Case({**bearer(admin), "X-API-Key": read}, refused=400)
    yield "a token and a key", Case({**bearer(token("admin")), "X-API-Key": admin}, refused=400)
    for scope in ("read", "refresh", SCOPE, "admin"):
        yield f"key of {scope}", Case({"X-API-Key": made(scope)}, frozenset({scope}))
        yield f"token of {scope}", Case(bearer(token(scope)), frozenset({scope}))
    yield "bearer", Case(bearer(admin), frozenset({"admin"}))
    yield "the same twice", Case({**bearer(read), "X-API-Key": read}, frozenset({"read"}))
    yield "a key of two scopes", Case(bearer(made("refresh", SCOPE)), {"refresh", SCOPE})


def wrong(key, made):
    """Give headers of credentials that are none, by why; ``key`` is one that is."""
    stranger = new_key("stranger", "admin")[0]
    late = token("admin", exp=int(time.time()) - 60)
    return {
        "empty Authorization": ("Authorization", ""),
        "empty X-API-Key": ("X-API-Key", ""),
        "no scheme": ("Authorization", key),
        "no key": ("Authorization", "Bearer"),
        "another scheme": ("Authorization", f"Basic {key}"),
        "malformed": ("X-API-Key", "assay_"),
        "not ASCII": ("X-API-Key", "é" * 52),
        "unknown": ("X-API-Key", stranger),
        "wrong checksum": ("X-API-Key", key[:-1] + ("a" if key[-1] != "a" else "b")),
        "another secret": ("X-API-Key", key[:15] + stranger[15:]),
        "two keys in one": ("X-API-Key", f"{key},{key}"),
        "revoked": ("X-API-Key", made("admin", revoked_at=PAST)),
        "expired": ("X-API-Key", made("admin", expires_at=PAST)),
        "not yet valid": ("X-API-Key", made("admin", not_before=FUTURE)),
        "a token as a key": ("X-API-Key", token("admin")),
        "a token that expired": ("Authorization", f"Bearer {late}"),
        "a token of nobody": ("Authorization", f"Bearer {jwt.encode({'sub': 'x'}, None, 'none')}"),
    }


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def token(scope, **others):
    now = int(time.time())
    claims = {"iss": "us", "aud": "assay", "sub": "ann", "iat": now - 200, "exp": now + 3000}
    return jwt.encode({**claims, "scope": scope, **others}, SECRET, "HS256")


def routes(site):
    """Give each route of the document: its address, its methods, and whose it is."""
    headers = site.cases["key of admin"].headers
    document = site.client.get("/openapi.json", headers=headers).json
    for path, item in document["paths"].items():
        operations = {name.upper(): item[name] for name in item if name != "parameters"}
        tags = {tag for each in operations.values() for tag in each.get("tags", ())}
        asked = next((NEEDED[end] for end in NEEDED if path.endswith(f"/{end}")), "")
        allowed = {*operations, "OPTIONS", *(["HEAD"] if "GET" in operations else ())}
        yield f"{path.format_map(FILLED)}?{asked}", allowed, HIDDEN in tags


def expected(case, method, route):
    """Say what a request has to be answered with, by the rules of the HTTP API alone."""
    address, allowed, hidden = route
    if case.refused:
        return case.refused
    if hidden and not case.scopes & {SCOPE, "admin"}:
        return 404
    if method not in allowed:
        return 405
    if method == "OPTIONS" or "/data/refresh" not in address:
        return 200
    if not case.scopes & {"refresh", "admin"}:
        return 403 if case.scopes else 401
    # The body that is sent is none that fits, and there is no such job.
    return 422 if method == "POST" else 404 if "job_x" in address else 200


def test_each_credential_gets_exactly_what_it_may(site):
    known, before, wrong = list(routes(site)), site.state(), []
    assert len(site.cases) * len(known) * len(METHODS) > 5_000
    for name, case in site.cases.items():
        for route in known:
            for method in METHODS:
                body = {"data": b"[]", "content_type": "application/json"}
                answer = site.client.open(
                    route[0],
                    method=method,
                    headers=case.headers,
                    **(body if method == "POST" else {}),
                )
                if answer.status_code != expected(case, method, route):
                    wrong.append((name, method, route[0], answer.status_code, answer.text[:200]))
                assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
                assert ("Allow" in answer.headers) or answer.status_code != 405
    assert wrong == []
    assert site.state() == before


def test_a_refused_request_has_nothing_staged_and_starts_no_job(site):
    before = site.state()
    for name, case in site.cases.items():
        if not case.scopes & {"refresh", "admin"}:
            for body in (
                b"",
                b"{}",
                b'{"force": true}',
                b'{"generation": 1}',
                b'{"dry_run": true}',
            ):
                answer = site.client.post(
                    "/api/v1/data/refresh",
                    headers={**case.headers, "Prefer": "wait=5"},
                    data=body,
                    content_type=JSON,
                )
                assert answer.status_code in {400, 401, 403}, name
    assert site.state() == before


def test_a_refusal_by_scope_tells_the_scope_and_nothing_of_the_dataset(site):
    refused = site.client.post("/api/v1/data/refresh", headers=site.cases["key of read"].headers)
    assert refused.json["scope"] == "refresh"
    hidden = site.client.get(f"/api/v1/datasets/{HIDDEN}/rows")
    assert not re.search(f"{SCOPE}|columns|keys", json.dumps(hidden.json))
