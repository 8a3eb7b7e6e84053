"""The filter grammar: which names there are, and what each of them reads."""

from datetime import date, datetime

import pytest

from app.dataset import Column, Constant, Dataset, Lineage
from app.query import MOST_VALUES, Filters, NanoTime, Where

COLUMNS = (
    Column("k", "integer"),
    Column("limit", "integer"),
    Column("a__b", "string"),
    Column("day", "date"),
    Column("at", "timestamp", physical="TIMESTAMP"),
    Column("nano", "timestamp", physical="TIMESTAMP_NS"),
    Column("hidden", "string", filterable=False),
    Column("many", "list"),
)
NONE = Lineage(Constant("run"), Constant("none"), Constant("2026-01-01"))
MIDNIGHT = datetime.fromisoformat("2026-01-31")
FILTERS = Filters(Dataset("sales", "gold", "*", ("k",), NONE, columns=COLUMNS), {"limit", "sort"})


@pytest.mark.parametrize(
    ("name", "texts", "where"),
    [
        ("k", ["7"], Where("k", "eq", 7)),
        ("k__eq", ["7"], Where("k", "eq", 7)),
        ("limit__eq", ["7"], Where("limit", "eq", 7)),
        ("a__b", [""], Where("a__b", "eq", "")),
        ("a__b__gte", ["x"], Where("a__b", "gte", "x")),
        ("a__b__in", ["x,y"], Where("a__b", "in", ["x", "y"])),
        ("a__b__in", ["x,y", "z"], Where("a__b", "in", ["x,y", "z"])),
        ("k__not_in", ["1,2"], Where("k", "not_in", [1, 2])),
        ("day__lt", ["2026-01-31"], Where("day", "lt", date(2026, 1, 31))),
        ("at", ["2026-01-31T01:00:00+01:00"], Where("at", "eq", MIDNIGHT)),
        ("many__isnull", ["true"], Where("many", "isnull", value=True)),
        ("nano", ["2026-01-01T00:00:00.000000001Z"],
         Where("nano", "eq", NanoTime("2026-01-01T00:00:00.000000001"))),
    ],
)  # fmt: skip
def test_a_name_and_its_texts_make_a_condition(name, texts, where):
    assert name in FILTERS
    assert FILTERS.read(name, texts) == where


@pytest.mark.parametrize(
    "name", ["limit", "hidden", "hidden__eq", "many", "many__eq", "k__contains", "k__", "b", "sort"]
)
def test_what_cannot_be_asked_has_no_name(name):
    assert name not in FILTERS


@pytest.mark.parametrize(
    ("name", "texts", "allowed"),
    [
        ("k", ["x"], "a whole number"),
        ("k", [""], "a whole number"),
        ("k", ["1", "2"], "once"),
        ("k__in", ["1,x"], "a whole number"),
        ("k__in", [",".join(["1"] * (MOST_VALUES + 1))], f"at most {MOST_VALUES} values"),
        ("k__isnull", ["yes"], "true or false"),
        ("at", ["2026-01-01T00:00:00.000000001Z"], "six digits of a second"),
        ("day", ["2026-01-32"], "an ISO date"),
    ],
)
def test_a_wrong_value_is_told_what_is_allowed(name, texts, allowed):
    with pytest.raises(ValueError, match=allowed):
        FILTERS.read(name, texts)
