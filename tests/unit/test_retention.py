"""Which Generations stay, and that the rest leaves nothing behind."""

from datetime import UTC, datetime, timedelta

import pytest

from app.generation import Manifest, Retention, Store, collect
from app.generation import commit as move_to
from app.table import Table

NEVER = Retention(generations=1, seconds=0, bytes=2**40)
HOUR = 3_600


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "state")


@pytest.fixture
def commit(store):
    """Commits one Generation ``hours`` ago, of Tables named by one letter and ten bytes each."""

    def make(hours, tables):
        number = store.next_number()
        made = datetime.now(UTC) - timedelta(hours=hours)
        facts = {each: Table(each, 1, 10, ()) for each in tables}
        for each in tables:
            store.table_file(each).write_bytes(b"table")
        move_to(store, Manifest(number, made, "job_1", {}, store.path, facts))

    return make


def tables(store):
    return "".join(sorted(path.stem for path in store.tables.iterdir()))


def test_the_two_newest_stay_whatever_is_said(store, commit):
    for letter in "abc":
        commit(9, letter)
    assert collect(store, Retention(generations=1, seconds=0, bytes=0)) == [1]
    assert (store.numbers(), tables(store)) == ([2, 3], "bc")
    assert collect(store, Retention(generations=1, seconds=0, bytes=0)) == []


@pytest.mark.parametrize(("generations", "gone"), [(1, [1, 2, 3]), (3, [1, 2]), (4, [1]), (5, [])])
def test_so_many_generations_stay_at_least(store, commit, generations, gone):
    for letter in "abcde":
        commit(9, letter)
    assert collect(store, Retention(generations, seconds=0, bytes=2**40)) == gone


@pytest.mark.parametrize(("hours", "gone"), [(0, [1, 2, 3]), (2.5, [1, 2]), (4.5, []), (99, [])])
def test_a_generation_stays_for_a_time_after_it_was_replaced(store, commit, hours, gone):
    for age in (50, 4, 3, 2, 1):
        commit(age, "a")
    assert collect(store, Retention(1, hours * HOUR, bytes=2**40)) == gone


def test_a_quiet_week_does_not_make_the_one_just_replaced_old(store, commit):
    for age in (500, 400, 0.1, 0):
        commit(age, "a")
    assert collect(store, Retention(1, HOUR, bytes=2**40)) == [1]


@pytest.mark.parametrize(
    ("most", "gone"), [(50, []), (49, [1]), (30, [1, 2]), (20, [1, 2, 3]), (0, [1, 2, 3])]
)
def test_the_limit_of_bytes_is_stronger(store, commit, most, gone):
    for letter in "abcde":
        commit(0, letter)
    assert collect(store, Retention(generations=99, seconds=99, bytes=most)) == gone


def test_a_key_index_counts_and_goes_with_its_table(store, commit):
    for letter in "abc":
        commit(9, letter)
        store.index_file(letter, "keys").write_bytes(b"index")
    assert collect(store, NEVER) == [1]
    assert tables(store) == "bbcc"


def test_a_table_that_several_name_counts_once_and_stays_for_one(store, commit):
    for letters in ("ab", "ac", "ad"):
        commit(9, letters)
    assert collect(store, Retention(99, 99 * HOUR, bytes=40)) == []
    assert collect(store, NEVER) == [1]
    assert tables(store) == "acd"


def test_tables_that_nobody_names_are_unlinked(store, commit):
    commit(0, "a")
    for name in ("z.duckdb", "y.unfinished", "x.duckdb.wal"):
        (store.tables / name).write_bytes(b"")
    assert collect(store, NEVER) == []
    assert tables(store) == "a"


def test_numbers_go_on_after_old_ones_are_gone(store, commit):
    for letter in "abc":
        commit(9, letter)
    collect(store, NEVER)
    assert store.next_number() == 4
    assert store.latest().number == 3


def test_answers_on_disk_go_with_their_generation(store, commit):
    for letter in "abc":
        commit(9, letter)
    for name in ("1-a", "2-b", "3-c", "1-d.part"):
        (store.spool / name).touch()
    collect(store, NEVER)
    assert sorted(path.name for path in store.spool.iterdir()) == ["1-d.part", "2-b", "3-c"]
