"""The page on security says which test holds each point; each of these tests is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()
POINTS = re.findall(r"^## (API\d+) [^\n]*\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_each_of_the_ten_points_names_a_test_that_holds_it():
    assert [name for name, _ in POINTS] == [f"API{number}" for number in range(1, 11)]
    assert [name for name, text in POINTS if "::test_" not in text] == []


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_test_that_is_named_is_there(path, name):
    defined = ast.parse((ROOT / path).read_text()).body
    assert name in {each.name for each in defined if isinstance(each, ast.FunctionDef)}
