"""Cursors come back as what they were, and nobody else can make one."""

import base64
from datetime import UTC, date, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query import Cursor, NanoTime, WideInteger

KEY = b"k" * 32
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.binary(),
)


@given(st.integers(0), st.lists(CELLS, max_size=4), st.text())
def test_a_cursor_comes_back_as_it_was(generation, after, question):
    cursor = Cursor(generation, tuple(after))
    read = Cursor.opened(cursor.sealed(question, KEY), question, KEY)
    assert read == cursor
    assert [type(each) for each in read.after] == [type(each) for each in after]


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (float("nan"), None),
        (WideInteger(2**100), 2**100),
        (NanoTime("2026-01-01T00:00:00.000000001"), "2026-01-01T00:00:00.000000001"),
        (-0.0, -0.0),
    ],
)
def test_cells_of_our_own_kinds_come_back_as_what_compares_with_them(cell, read):
    sealed = Cursor(1, (cell,)).sealed("q", KEY)
    assert Cursor.opened(sealed, "q", KEY).after == (read,)


@pytest.mark.parametrize(
    "values",
    [(date(2026, 1, 1), time(1)), (Decimal("1.10"), b"\xff"), (time(2), "é")],
)
def test_a_cursor_can_stand_in_an_address(values):
    text = Cursor(7, values).sealed("q", KEY)
    assert text.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_of_another_question_key_or_hand_is_refused():
    text = Cursor(7, (1, "a")).sealed("q", KEY)
    changed = base64.urlsafe_b64encode(b"0" * 12 + b"[7, []]").decode().rstrip("=")
    for other, question, key in (
        (text, "other", KEY),
        (text, "q", b"other"),
        (text[:-2], "q", KEY),
        (f"{text}A", "q", KEY),
        (changed, "q", KEY),
        ("", "q", KEY),
        ("ü", "q", KEY),
        ("a b", "q", KEY),
    ):
        with pytest.raises(ValueError, match=r".*"):
            Cursor.opened(other, question, key)
