"""The catalogue of refusals: what each is called, and what its document looks like."""

import json
import re

import pytest
from werkzeug import exceptions

from app import errors
from app.errors import NotFoundError, ServiceError
from app.http import problem_reply
from app.http.problems import PROBLEM_JSON, problem_document, refusal_of

# Clients act on these: a slug or a status that changes is a change of the contract.
CATALOGUE = {
    "body-too-large": 413,
    "busy": 503,
    "rate-unknown": 503,
    "state-unusable": 503,
    "conflicting-credentials": 400,
    "credential-in-address": 400,
    "endpoint-failed": 500,
    "answer-too-large": 400,
    "export-too-large": 507,
    "question-too-slow": 504,
    "export-too-slow": 503,
    "figure-out-of-range": 400,
    "forbidden": 403,
    "internal-error": 500,
    "invalid-body": 422,
    "invalid-credential": 401,
    "invalid-parameter": 400,
    "invalid-registry": 422,
    "refresh-running": 409,
    "generation-gone": 410,
    "headers-too-large": 431,
    "body-too-slow": 408,
    "length-required": 411,
    "malformed-json": 400,
    "malformed-request": 400,
    "method-not-allowed": 405,
    "no-generation": 503,
    "no-room": 507,
    "not-acceptable": 406,
    "not-found": 404,
    "range-not-satisfiable": 416,
    "refresh-failed": 500,
    "source-refused": 422,
    "table-refused": 422,
    "too-many-requests": 429,
    "unsupported-media-type": 415,
    "uri-too-long": 414,
}
KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ServiceError) and kind is not ServiceError
    ),
    key=lambda kind: kind.slug,
)


def test_the_catalogue_is_what_clients_know():
    assert {kind.slug: kind.status for kind in KINDS} == CATALOGUE


def test_each_kind_has_a_title_of_its_own():
    assert len({kind.title for kind in KINDS}) == len(KINDS)
    assert all(re.fullmatch("[A-Z][A-Za-z0-9 -]+", kind.title) for kind in KINDS)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", kind.slug) for kind in KINDS)
    assert all(kind.__doc__.endswith(".") for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_a_refusal_is_a_problem_document(kind):
    _, headers, body = problem_reply(kind("What happened.", item_id="A"), "r-1")
    assert json.loads(body) == {
        "type": f"urn:assay:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": "What happened.",
        "instance": "urn:assay:request:r-1",
        "item_id": "A",
    }
    assert headers["Content-Type"] == PROBLEM_JSON == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in headers) is (kind.status == 401)
    assert ("Retry-After" in headers) is (kind.status in {429, 503})


@pytest.mark.parametrize(
    "fact", [2**60, float("nan"), "\x00\u2028", [{"line": 1}], None, {"a": (1, 2)}]
)
def test_any_fact_has_a_place_in_a_document(fact):
    _, _, body = problem_reply(NotFoundError("x", fact=fact), "r-1")
    assert b"NaN" not in body
    assert "fact" in json.loads(body)


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (exceptions.BadRequest, "malformed-request"),
        (exceptions.NotFound, "not-found"),
        (exceptions.MethodNotAllowed, "method-not-allowed"),
        (exceptions.NotAcceptable, "not-acceptable"),
        (exceptions.RequestEntityTooLarge, "body-too-large"),
        (exceptions.RequestURITooLarge, "uri-too-long"),
        (exceptions.UnsupportedMediaType, "unsupported-media-type"),
        (exceptions.InternalServerError, "internal-error"),
        (exceptions.ImATeapot, "internal-error"),
    ],
)
def test_what_the_framework_refuses_is_one_of_our_refusals(error, slug):
    given = error("the words of the framework")
    refusal = refusal_of(given)
    assert refusal.slug == slug
    assert "framework" not in str(problem_document(refusal, "r-1"))


def test_the_methods_that_are_allowed_are_kept():
    assert refusal_of(exceptions.MethodNotAllowed(["GET"])).headers == {"Allow": "GET"}
