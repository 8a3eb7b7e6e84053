"""The page of settings and the settings themselves say the same."""

import re
from pathlib import Path

from app.settings import rules

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
EMPTY = {"ASSAY_KEYS_FILE": "`keys.json` in the state directory"}


def test_the_page_has_each_variable_with_its_default_and_what_is_allowed():
    rows = re.findall(
        r"^\| `(ASSAY_\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    told = {name: (default, allowed) for name, default, _, allowed in rows}
    held = {
        name: (f"`{rule.default}`" if rule.default else EMPTY.get(name, "empty"))
        for name, rule in rules().items()
    }
    assert told == {name: (held[name], rule.allowed) for name, rule in rules().items()}
    assert list(told) == list(held)


def test_the_page_names_no_variable_that_does_not_exist():
    assert set(re.findall(r"ASSAY_\w+", PAGE.read_text("utf-8"))) - {"ASSAY_"} == set(rules())
