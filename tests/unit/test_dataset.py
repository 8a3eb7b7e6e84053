"""Datasets as an endpoint knows them, how late they are, and when something was."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from app.dataset import Column, Constant, Dataset, Deadlines, Freshness, Lineage, moment

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def dataset(**fields):
    names = ("item", "day", "qty", "run", "made")
    lineage = Lineage("run", Constant("none"), "made")
    given = {
        "columns": tuple(Column(name, type="integer", stored=name) for name in names),
        "time": "day",
        **fields,
    }
    return Dataset("sales", "gold", "*", ("item", "day"), lineage, **given)


def test_a_column_is_there_or_not():
    sales = dataset()
    assert sales.column("qty").name == "qty"
    assert (sales.column("Qty"), sales.has_column("Qty"), sales.has_column("qty")) == (
        None,
        False,
        True,
    )


def test_datasets_are_values_that_do_not_change_and_keys_that_are_not_confused():
    sales = dataset()
    with pytest.raises(FrozenInstanceError):
        sales.title = "Other"
    assert sales != dataset()
    assert len({sales, dataset(), sales}) == 2


def test_a_renamed_dataset_knows_its_columns_keys_time_and_lineage_by_their_new_names():
    renamed = dataset().renamed({"id": "item", "date": "day", "generated_at": "made"})
    assert [(each.name, each.stored) for each in renamed.columns] == [
        *(
            ("id", "item"),
            ("date", "day"),
            ("generated_at", "made"),
            ("qty", "qty"),
            ("run", "run"),
        ),
    ]
    assert (renamed.keys, renamed.time) == (("id", "date"), "date")
    assert renamed.lineage == Lineage("run", Constant("none"), "generated_at")


def test_names_may_stay_or_be_swapped():
    same = dataset().renamed({"item": "item"})
    assert (same.keys, same.has_column("qty")) == (("item", "day"), True)
    swapped = dataset().renamed({"qty": "run", "run": "qty"})
    assert {each.name: each.stored for each in swapped.columns}["qty"] == "run"
    assert swapped.lineage.dataset_id == "qty"


def test_a_new_name_takes_the_place_of_a_column_that_had_it():
    renamed = dataset().renamed({"qty": "made"})
    assert [each.stored for each in renamed.columns if each.name == "qty"] == ["made"]
    assert not renamed.has_column("made")


def test_a_constant_stands_in_for_a_column():
    version = dataset().renamed({"model_version": Constant("none")}).column("model_version")
    assert (version.stored, version.type, version.required) == (Constant("none"), "string", True)


def test_what_is_not_there_cannot_be_given():
    assert not dataset().renamed({"value": "amount"}).has_column("value")


def test_without_a_time_there_is_none_to_rename():
    assert dataset(time=None).renamed({"date": "day"}).time is None


@pytest.mark.parametrize(
    ("lineage", "columns"),
    [
        (Lineage("a", "b", "c", "d"), ("a", "b", "c", "d")),
        (Lineage(Constant("a"), "b", Constant("c")), ("b",)),
        (Lineage("a", "a", "a"), ("a", "a", "a")),
    ],
)
def test_lineage_knows_which_of_its_parts_are_columns(lineage, columns):
    assert lineage.columns == columns


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(0), "fresh"),
        (timedelta(hours=1), "fresh"),
        (timedelta(hours=1, seconds=1), "warn"),
        (timedelta(days=1), "warn"),
        (timedelta(days=1, seconds=1), "error"),
        (timedelta(hours=-1), "fresh"),
    ],
)
def test_a_dataset_is_late_when_its_time_is_over(age, said):
    deadlines = Freshness(timedelta(hours=1), timedelta(days=1)).deadlines(NOW - age)
    assert deadlines.status(NOW.timestamp())[0] == said


def test_a_dataset_without_rows_is_as_late_as_can_be_if_it_can_be_late_at_all():
    years = timedelta(days=9_999)
    assert Freshness(warn_after=years).deadlines(None).status(0) == ("warn", inf)
    assert Freshness(error_after=years).deadlines(None).status(0) == ("error", inf)
    assert Freshness().deadlines(None).status(0) == ("fresh", inf)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (9, ("fresh", 10)),
        (10, ("fresh", 10)),
        (11, ("warn", 20)),
        (20, ("warn", 20)),
        (21, ("error", inf)),
    ],
)
def test_a_status_holds_until_the_next_deadline(now, said):
    assert Deadlines(10, 20).status(now) == said


def test_a_deadline_that_there_is_not_never_passes():
    assert Deadlines(inf, 20).status(15) == ("fresh", 20)
    assert Deadlines(10, inf).status(15) == ("warn", inf)
    assert Deadlines(inf, inf).status(15) == ("fresh", inf)


def test_a_deadline_may_lie_beyond_all_dates():
    last = datetime.max.replace(tzinfo=UTC)
    deadlines = Freshness(timedelta(days=1), timedelta(days=1_000_000)).deadlines(last)
    assert deadlines.status(last.timestamp()) == ("fresh", deadlines.warn)


@pytest.mark.parametrize(
    "text", ["2026-01-02", "2026-01-02T00:00:00", "2026-01-02T00:00Z", "2026-01-02T02:00:00+02:00"]
)
def test_a_moment_is_utc_whatever_its_zone(text):
    assert moment(text) == NOW
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-01-02T25:00"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        moment(text)
