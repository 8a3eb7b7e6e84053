"""Values as JSON: one form for each, and nothing that a strict reader refuses."""

import json
from collections import ChainMap, defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import inf, nan
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dataset import Column
from app.formats import JSON, json_bytes, plain
from app.query import NO_STAMP, JsonText, Rows, WideInteger

VIENNA = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        *((number, "null") for number in (nan, inf, -inf)),
        (-0.0, "-0.0"),
        (True, "true"),
        (2**63 - 1, "9223372036854775807"),
        (WideInteger(2**63 - 1), "9223372036854775807"),
        (WideInteger(-(2**127)), str(-(2**127))),
        (Decimal("1.10"), '"1.10"'),
        (Decimal("1E+3"), '"1000"'),
        (Decimal("1E-10"), '"0.0000000001"'),
        (Decimal("-0.00"), '"-0.00"'),
        ('a"\\\n\u2028\0', '"a\\"\\\\\\n\u2028\\u0000"'),
        (date(2026, 1, 31), '"2026-01-31"'),
        (time(8, 30), '"08:30:00"'),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), '"2026-01-31T12:00:00Z"'),
        (datetime(2026, 1, 31, 12), '"2026-01-31T12:00:00Z"'),  # noqa: DTZ001 - UTC, as in Tables
        (datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC), '"2026-01-31T12:00:00.000001Z"'),
        (timedelta(0), '"P0DT0S"'),
        (timedelta(days=2, hours=1, microseconds=500_000), '"P2DT3600.5S"'),
        (timedelta(seconds=-90), '"-P0DT90S"'),
        (timedelta(seconds=100), '"P0DT100S"'),
        (b"\xff\x00", '"/wA="'),
        (JsonText('{"a": 1.50}'), '{"a": 1.50}'),
        ([JsonText("[1]"), JsonText("null")], "[[1],null]"),
        ((1, [2, {"a": (3,)}]), '[1,[2,{"a":[3]}]]'),
        (MappingProxyType({"a": Decimal(1)}), '{"a":"1"}'),
        (ChainMap({"a": defaultdict(int, b=1)}), '{"a":{"b":1}}'),
        ({"b": nan, "a": [inf]}, '{"b":null,"a":[null]}'),
    ],
)
def test_each_value_has_one_form(value, text):
    assert json_bytes(value).decode() == text


def test_a_time_of_another_zone_is_the_same_moment():
    noon = datetime(2026, 1, 31, 12, tzinfo=VIENNA)
    assert datetime.fromisoformat(str(plain(noon))) == noon


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, Exception("secret")])
def test_what_no_table_holds_has_no_form(value):
    with pytest.raises(TypeError):
        json_bytes(value)


def test_rows_are_a_list_of_records_in_the_order_of_their_columns():
    rows = Rows((Column("b"), Column('a"')), [(1, nan), (WideInteger(2**70), None)], NO_STAMP)
    text = f'{{"data":[{{"b":1,"a\\"":null}},{{"b":{2**70},"a\\"":null}}]}}'
    assert json_bytes({"data": rows}).decode() == text
    assert json_bytes(Rows((Column("a"),), [], NO_STAMP)) == b"[]"


@pytest.mark.parametrize("wide_as_text", [False, True])
def test_names_within_a_cell_need_not_be_text(wide_as_text):
    inner = Rows((Column("b"),), [({1: {date(2024, 1, 2): 3}},)], NO_STAMP)
    rows = Rows((Column("a"),), [(inner,), ({True: None},)], NO_STAMP)
    text = b'[{"a":[{"b":{"1":{"2024-01-02":3}}}]},{"a":{"true":null}}]'
    assert json_bytes(rows, wide_as_text=wide_as_text) == text


@pytest.mark.parametrize("row", [(1,), (1, 2, 3)])
def test_rows_have_a_cell_for_each_column(row):
    rows = Rows((Column("a"), Column("b")), [(1, 2), row], NO_STAMP)
    with pytest.raises(ValueError, match="each row needs 2 cells"):
        list(rows)
    with pytest.raises(TypeError):
        json_bytes(rows)


@pytest.mark.parametrize(
    ("value", "read"),
    [(nan, None), (Decimal("1.0"), "1.0"), (2**80, 2**80), (date(2026, 1, 1), "2026-01-01")],
)
def test_a_plain_value_is_what_a_reader_would_make_of_it(value, read):
    assert plain(value) == read


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers().map(WideInteger)
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(CELLS)
def test_a_strict_reader_takes_whatever_comes(value):
    def refuse(word):
        raise AssertionError(word)

    json.loads(json_bytes(value), parse_constant=refuse)
    assert JSON == "application/json"
