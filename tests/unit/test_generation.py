"""The Store, its one pointer, and what a worker sees of it."""

import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from app.dataset import Freshness
from app.engine import Desk, DuckEngine, Hands, Queue, Turns
from app.errors import NoGenerationError, NoRoomError
from app.generation import (
    CurrentGeneration,
    Generation,
    Manifest,
    Opener,
    Store,
    mark_worker,
    worker_marks,
    write_whole,
)
from app.generation import commit as move_to
from app.query import Query, Where, compile_query
from app.table import Table

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 1, 2, 12, 0, 0, 5, tzinfo=UTC)
DOCUMENT = {
    "version": 1,
    "sources": {"gold": {"location": "gold"}},
    "datasets": {
        "sales": {
            "source": "gold",
            "path": "sales.parquet",
            "keys": ["k"],
            "lineage": {
                "dataset_id": {"value": "run-1"},
                "model_version": {"value": "none"},
                "generated_at": {"value": "2026-01-01T00:00:00Z"},
            },
        }
    },
}


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "state")


@pytest.fixture
def make(store, bench_at):
    """Commits Generations with a real Table, or with none."""

    def commit(rows=0, index_bytes=0):
        bench = bench_at(store.tables)
        sales = {"dataset": bench.dataset(), "index_bytes": index_bytes}
        tables = {"sales": bench.load({"k": [*range(rows)]}, **sales)[1]} if rows else {}
        number = store.next_number()
        document = DOCUMENT if rows else {"version": 1, "datasets": {}}
        move_to(store, Manifest(number, NOON, "job_1", document, store.path, tables))
        return number

    return commit


@pytest.fixture
def opener(store, bench):
    turns = Turns(Desk(4, Hands(4)), Queue(4, 4), Queue(4, 4), Queue(1, 1), 60)
    return Opener(store, bench.limits, turns).open


def test_a_store_is_ours_alone(tmp_path):
    store = Store.at(tmp_path / "deep" / "state")
    folders = [store.path, *(path for path in store.path.iterdir() if path.is_dir())]
    assert len(folders) == 9
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert Store.at(store.path) == store


def test_an_empty_store_has_no_generation(store, opener):
    assert (store.current(), store.latest(), store.numbers(), store.next_number()) == (
        None,
        None,
        [],
        1,
    )
    with pytest.raises(NoGenerationError) as caught:
        CurrentGeneration(store, opener).pin()
    assert caught.value.headers == {"Retry-After": "5"}


def test_a_manifest_survives_being_written_down(bench):
    dataset, table = bench.load({"k": [1], "x": ["it's"]})
    manifest = Manifest(41, NOON, "job_1", DOCUMENT, bench.folder / "it's", {"sales": table})
    assert Manifest.from_bytes(manifest.as_bytes()) == manifest
    assert (manifest.name, dataset.name) == ("00000041.json", "sales")


def test_a_commit_is_one_symlink_to_the_manifest(store, make):
    assert (make(), make()) == (1, 2)
    assert store.pointer.is_symlink()
    assert store.pointer.readlink() == Path("generations/00000002.json")
    assert store.current() == "00000002.json"
    assert store.latest() == store.manifest("00000002.json")
    assert (store.numbers(), store.next_number()) == ([1, 2], 3)


def test_a_commit_goes_through_what_a_killed_one_left(store, make):
    (store.path / "CURRENT.aside").symlink_to("nowhere")
    make()
    assert store.latest().number == 1
    assert not (store.path / "CURRENT.aside").is_symlink()


def test_what_cannot_be_written_leaves_nothing_and_changes_nothing(store, make):
    make()
    before = sorted(store.path.rglob("*"))
    with pytest.raises(TypeError):
        move_to(store, replace(store.latest(), number=2, document={"a": object()}))
    (store.generations / "00000003.json").mkdir()
    with pytest.raises(OSError, match=r"directory"):
        move_to(store, replace(store.latest(), number=3))
    (store.generations / "00000003.json").rmdir()
    assert sorted(store.path.rglob("*")) == before
    assert store.latest().number == 1


@pytest.mark.parametrize("content", ["text", None])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, content):
    path = tmp_path / "file"
    write_whole(path, b"before")
    with pytest.raises(TypeError):
        write_whole(path, content)
    assert path.read_bytes() == b"before"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_dead_builder_left_is_tidied_and_nothing_else(store, make):
    make(rows=1)
    kept = sorted(store.path.rglob("*"))
    for orphan in ("00000002.json", "00000002.json.77.part"):
        (store.generations / orphan).write_bytes(b"{}")
    (store.staging / "job_1" / "sales").mkdir(parents=True)
    (store.staging / "job_1" / "sales" / "0000.parquet").write_bytes(b"PAR1")
    for orphan in ("abc.unfinished", "abc.unfinished.wal"):
        (store.tables / orphan).write_bytes(b"")
    (store.aside / "aside-dead").mkdir()
    store.tidy()
    (store.path / "plan.lock").unlink()
    assert sorted(store.path.rglob("*")) == kept
    assert store.next_number() == 2


def test_a_number_that_was_announced_is_never_given_again(store, make):
    make()
    given_up = replace(store.latest(), number=2)
    store.write(given_up)
    store.announce(given_up)
    store.tidy()
    assert store.next_number() == 3


def test_what_was_announced_is_ready_before_it_is_committed(store, make, opener):
    make(rows=1)
    opened = []
    current = CurrentGeneration(store, lambda name: opened.append(name) or opener(name))
    first = current.pin()
    assert current.get_ready() is None
    coming = replace(store.latest(), number=2)
    store.write(coming)
    store.announce(coming)
    ready = current.get_ready()
    assert (ready.number, current.pin()) == (2, first)
    assert current.get_ready() is None
    store.point(coming)
    assert current.pin() is ready
    assert opened == ["00000001.json", "00000002.json"]


def test_what_was_announced_and_given_up_is_not_served(store, make, opener):
    make(rows=1)
    current = CurrentGeneration(store, opener)
    current.pin()
    given_up = replace(store.latest(), number=2)
    store.write(given_up)
    store.announce(given_up)
    current.get_ready()
    store.tidy()
    make(rows=2)
    assert (current.pin().number, current.pin().tables["sales"].rows) == (3, 2)


def test_an_orphan_before_the_first_commit_is_tidied(store):
    (store.generations / "00000001.json").write_bytes(b"{}")
    store.tidy()
    assert store.numbers() == []


HOLD = """
import sys
from pathlib import Path
from app.generation import Store
with Store(Path(sys.argv[1])).lock("build"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(store):
    """A process of its own that holds the lock of builders."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_lock_holds_across_processes_until_its_holder_is_killed(store, holder):
    with store.lock("build", wait=False) as free:
        assert not free
    with store.lock("other", wait=False) as free:
        assert free
    holder.kill()
    with store.lock("build") as free:
        assert free


def test_a_lock_is_given_back_when_its_holder_fails(store):
    with pytest.raises(RuntimeError), store.lock("build"):
        raise RuntimeError
    with store.lock("build", wait=False) as free:
        assert free


def key_of(path):
    return Store.at(path).key()


def test_the_key_is_secret_made_once_and_the_same_for_all(store):
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        keys = set(processes.map(key_of, [store.path] * 4))
    assert len(keys) == 1
    assert keys == {store.key()}
    assert len(store.key()) == 32
    assert stat.S_IMODE((store.path / "etag.key").stat().st_mode) == 0o600
    assert Store.at(store.path.parent / "other").key() != store.key()


def test_an_open_generation_serves_its_tables(store, make, opener):
    make(rows=3)
    generation = opener(store.current())
    assert (generation.number, generation.committed_at) == (1, NOON)
    sales = generation.datasets["sales"]
    assert [column.name for column in sales.columns] == ["k"]
    assert generation.run(Query(sales, sort=["k"])).cells == [(0,), (1,), (2,)]
    assert generation.freshness("sales") == ("fresh", inf)
    assert generation.registry.sources["gold"].location == store.path / "gold"


def test_a_generation_outlives_its_files(store, make, opener):
    make(rows=50_000)
    generation = opener(store.current())
    for path in (*store.tables.glob("*.duckdb"), *store.generations.iterdir()):
        path.unlink()
    assert len(generation.run(Query(generation.datasets["sales"]))) == 50_000


def test_rows_by_key_outlive_the_file_of_their_index(store, make, opener):
    make(rows=100, index_bytes=1 << 20)
    generation = opener(store.current())
    store.index_file(generation.tables["sales"].hash, "keys").unlink()
    last = Query(generation.datasets["sales"], sort=("-k",), limit=1)
    without_engine = replace(generation, engine=None)
    assert without_engine.run(last) == generation.engine.run(compile_query(last))


def test_small_questions_have_memory_of_their_own_and_where_it_is_short_that_of_all(
    store, make, opener, bench
):
    make(rows=50_000)
    generation = opener(store.current())
    bench.limits.spill.mkdir()
    small, others = generation.small.limits, generation.engine.limits
    # As much as the small one has is left for a comparison.
    assert 2 * small.memory_bytes + others.memory_bytes == bench.limits.memory_bytes
    nothing = replace(bench.limits, memory_bytes=1 << 20)
    without = DuckEngine(generation.engine.tables, nothing, Queue(1, 1))
    of_one = Query(generation.datasets["sales"], where=[Where("k", "eq", 7)], sort=["-k"])
    of_all = replace(of_one, where=[])
    for each in (replace(generation, engine=without), replace(generation, small=without)):
        assert each.run(of_one).cells == [(7,)]
    with pytest.raises(NoRoomError):
        replace(generation, engine=without).run(of_all)


def test_what_a_refresh_leaves_as_it_is_keeps_its_open_index(make, store, opener):
    make(rows=100, index_bytes=1 << 20)
    first = opener(store.current())
    make(rows=100, index_bytes=1 << 20)
    second = opener(store.current())
    assert second.number == first.number + 1
    assert second.indexes["sales"]["keys"] is first.indexes["sales"]["keys"]
    make(rows=101, index_bytes=1 << 20)
    third = opener(store.current())
    assert third.indexes["sales"]["keys"] is not first.indexes["sales"]["keys"]


def test_without_its_index_a_generation_answers_the_same(store, make, opener):
    make(rows=100, index_bytes=1 << 20)
    (path,) = store.tables.glob("*.index")
    path.unlink()
    generation = opener(store.current())
    assert generation.indexes == {"sales": {}}
    assert generation.run(Query(generation.datasets["sales"], sort=("-k",), limit=1)).more


@pytest.mark.parametrize("lost", ["generations", "tables"])
def test_a_generation_that_was_collected_is_told_as_gone(store, make, opener, lost):
    make(rows=1)
    for path in (store.path / lost).glob("*.*"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        opener("00000001.json")


def test_the_shape_changes_with_columns_and_declarations_and_not_with_rows(store, make, opener):
    names = [f"{make(rows=rows):08d}.json" for rows in (1, 2)]
    one, other = map(opener, names)
    assert one.shape == other.shape
    manifest = store.manifest(names[0])
    document = {**DOCUMENT, "datasets": {"sales": {**DOCUMENT["datasets"]["sales"], "title": "T"}}}
    move_to(store, replace(manifest, number=3, document=document))
    columns = tuple(replace(each, type="number") for each in manifest.tables["sales"].columns)
    table = replace(manifest.tables["sales"], columns=columns)
    move_to(store, replace(manifest, number=4, tables={"sales": table}))
    assert len({one.shape, opener("00000003.json").shape, opener("00000004.json").shape}) == 3


def test_a_pin_reads_the_pointer_each_time_and_opens_once(store, make, opener):
    opened = []

    def noted(name):
        opened.append(name)
        return opener(name)

    current = CurrentGeneration(store, noted)
    make()
    first = current.pin()
    assert current.pin() is first
    make()
    assert (first.number, current.pin().number) == (1, 2)
    assert opened == ["00000001.json", "00000002.json"]


def test_a_generation_collected_while_it_is_opened_is_looked_for_again(store, make, opener):
    make()

    def late(name):
        if name == "00000001.json":
            make()
            (store.generations / name).unlink()
        return opener(name)

    assert CurrentGeneration(store, late).pin().number == 2


def test_a_generation_that_is_lost_is_refused_not_looked_for_for_ever(store, make, opener):
    make()
    (store.generations / store.current()).unlink()
    with pytest.raises(NoGenerationError, match="cannot be opened"):
        CurrentGeneration(store, opener).pin()


def test_pins_never_go_back_during_two_hundred_commits(store, make, opener):
    make()
    current, done = CurrentGeneration(store, opener), threading.Event()

    def back(_):
        seen = 0
        while not done.is_set():
            named = int(store.current().partition(".")[0])
            number = current.pin().number
            if number < max(seen, named):
                return (number, seen, named)
            seen = number
        return None

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(back, each) for each in range(4)]
        try:
            for _ in range(200):
                make()
        finally:
            done.set()
        assert [reader.result() for reader in readers] == [None] * 4
    assert current.pin().number == 201


@pytest.mark.parametrize(
    ("hours", "said"), [(1, "fresh"), (24, "fresh"), (25, "warn"), (49, "error"), (None, "error")]
)
def test_a_table_is_late_by_the_age_of_its_newest_row(hours, said):
    freshness = Freshness(timedelta(hours=24), timedelta(hours=48))
    newest = None if hours is None else NOON - timedelta(hours=hours)
    assert freshness.deadlines(newest).status(NOON.timestamp())[0] == said
    assert Freshness().deadlines(newest).status(NOON.timestamp())[0] == "fresh"


def test_a_generation_is_what_it_was(store, make, opener):
    make()
    generation = opener(store.current())
    assert isinstance(generation, Generation)
    with pytest.raises(AttributeError):
        generation.number = 2


def test_workers_that_live_say_which_generation_they_serve(store):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = {"id": "b", "pid": os.getpid(), "generation": 2, "dropped": 1}
    mark_worker(store, {**mine, "generation": 1})
    mark_worker(store, mine)
    mark_worker(store, {**mine, "id": "a"})
    mark_worker(store, {**mine, "id": "c", "pid": dead.pid})
    (store.workers / "d.json").write_bytes(b"{")
    assert worker_marks(store) == [{**mine, "id": "a"}, mine]
    assert not (store.workers / "c.json").exists()


def test_a_worker_goes_on_where_its_mark_cannot_be_written(store):
    store.workers.rmdir()
    mark_worker(store, {"id": "a", "pid": 1, "generation": 1, "dropped": 0})
    assert worker_marks(store) == []


def test_a_table_without_versions_has_no_newest():
    assert Table("abc", 0, 0, ()).newest is None


def test_a_mark_of_a_process_whose_id_was_given_again_is_removed(store):
    mark = {"id": "a", "generation": 1, "ready": 1, "dropped": 0, "watches": True}
    mark_worker(store, {**mark, "pid": os.getpid()})
    path = store.workers / "a.json"
    path.write_text(path.read_text().replace('"born":"', '"born":"9'))
    assert worker_marks(store) == []
    assert not path.exists()
