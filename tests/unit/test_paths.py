"""The rule of a path is the one that werkzeug finds, whatever the values are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from app.http.build import TextConverter
from app.http.paths import Paths

OFFERED = (
    "/api/v1/items/<text:id>",
    "/api/v1/items/<text:id>/series",
    "/api/v1/items/<text:id>/<text:day>",
    "/api/v1/items/search",
    "/api/v1/<text:anything>/all",
    "/api/v1/datasets/items/rows",
    "/api/v1/datasets/items/rows/<text:key>/<text:other_key>",
    "/api/v1/items.<text:key>/file",
    "/api/v1/<text:key>/file",
    "/api/v1/other/<text:key>",
    "/api/v1/other/x.<text:key>",
    "/api/v1/datasets/items/rows.<text:format>",
    "/api/v1/datasets/items/<text:key>",
    "/api/v1/datasets/items/<text:key>/of/<text:day>",
)
OTHERS = ("/health", "/api/v1/datasets", "/docs/<path:name>", "/api/v1/datasets/<text:name>/schema")


@pytest.fixture(scope="module", name="adapter")
def _adapter():
    rules = [Rule(path, endpoint=path, methods=["GET"]) for path in (*OFFERED, *OTHERS)]
    return Map(rules, converters={"text": TextConverter}, merge_slashes=False).bind("")


@pytest.fixture(scope="module", name="paths")
def _paths(adapter):
    return Paths(adapter, [rule for rule in adapter.map.iter_rules() if rule.endpoint in OFFERED])


def found(match, path, method="GET"):
    try:
        rule, values = match(path, method)
    except HTTPException as error:
        return type(error)
    return rule.endpoint, dict(values)


def filled(path, values):
    """Put values into the places of a path."""
    left = iter(values)
    return "/".join(re.sub("<.*>", lambda _: next(left), part) for part in path.split("/"))


WORDS = st.sampled_from(sorted({part for path in OFFERED for part in path.split("/")}))
VALUES = st.text("ab/|.%é\n<> ", max_size=4)
PARTS = st.lists(WORDS | VALUES, max_size=7)
BEGUN = st.sampled_from(["/", "/api/v1/", "/api/v1/items/", "/api/v1/datasets/items/rows/"])
PATHS = st.builds(str.__add__, BEGUN, PARTS.map("/".join)) | st.builds(
    filled, st.sampled_from([*OFFERED, *OTHERS]), st.lists(WORDS | VALUES, min_size=2, max_size=2)
)


@given(PATHS)
def test_it_is_the_one_that_werkzeug_finds(adapter, paths, path):
    expected = found(lambda *asked: adapter.match(*asked, return_rule=True), path)
    assert found(paths.match, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/items/7/series", ("/api/v1/items/<text:id>/series", {"id": "7"})),
        ("/api/v1/items/a/b/series", ("/api/v1/items/<text:id>/series", {"id": "a/b"})),
        ("/api/v1/items/search", ("/api/v1/items/search", {})),
        (
            "/api/v1/datasets/items/rows.csv",
            ("/api/v1/datasets/items/rows.<text:format>", {"format": "csv"}),
        ),
        (
            "/api/v1/datasets/items/rows.csv/of/1",
            ("/api/v1/datasets/items/rows.<text:format>", {"format": "csv/of/1"}),
        ),
        ("/api/v1/items/items", ("/api/v1/items/<text:id>", {"id": "items"})),
        ("/api/v1/7/file", ("/api/v1/<text:key>/file", {"key": "7"})),
        ("/api/v1/other/7", ("/api/v1/other/<text:key>", {"key": "7"})),
        ("/nowhere", NotFound),
    ],
)
def test_a_value_may_hold_slashes_or_be_a_word(paths, path, expected):
    assert found(paths.match, path) == expected


def test_a_method_that_a_rule_has_not_is_refused(paths):
    assert found(paths.match, "/api/v1/items/7", "POST") is MethodNotAllowed


def test_a_plain_path_is_not_searched_for(adapter, paths, monkeypatch):
    monkeypatch.setattr(type(adapter), "match", None)
    assert found(paths.match, "/api/v1/items/7") == ("/api/v1/items/<text:id>", {"id": "7"})
    assert found(paths.match, "/api/v1/items/a%b/é|") == (
        "/api/v1/items/<text:id>/<text:day>",
        {"id": "a%b", "day": "é|"},
    )
