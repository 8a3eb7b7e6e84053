"""A refresh makes the next Generation of what changed, or changes nothing and says all of why."""

import os
import re
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.generation import Store
from app.refresh import Jobs, Request, Tools, build_waiting, check_data
from app.registry import read_registry
from tests.conftest import REGISTRY, forecast_columns, inventory_columns, item_columns

UNCHANGED = {"items": "reused", "forecasts": "reused", "inventory": "reused"}
MORE = """\
  extra:
    source: gold
    path: extra.parquet
    keys: [k]
    lineage: {dataset_id: {value: x}, model_version: {value: x}, generated_at: {value: 2026-01-01}}
"""

ITEMS_AGAIN = """\
  again:
    source: gold
    path: dim_items.parquet
    keys: [item_id]
    lineage: {dataset_id: dataset_id, model_version: {value: none}, generated_at: updated_at}
"""


@pytest.fixture
def store(settings):
    return Store.at(settings.state)


@pytest.fixture
def first(registry_file, refresh):
    """The job of a first refresh."""
    job = refresh()
    assert job.status == "succeeded"
    return job


@pytest.fixture
def submit(settings, store):
    """Makes the next Generation for one call; gives the job."""

    def make(**asked):
        job, _ = Jobs(store).submit(Request(**asked))
        build_waiting(settings)
        return Jobs(store).job(job.job_id)

    return make


def outcomes(job):
    return {each["name"]: each["outcome"] for each in job.datasets}


def problems(job):
    return {
        each["name"]: [problem["message"] for problem in each["problems"]]
        for each in job.datasets
        if each["outcome"] == "failed"
    }


def state(store):
    """Everything that a reader can see, and the files it stands in."""
    kept = [*store.generations.iterdir(), *store.tables.iterdir()]
    return store.current(), {path: path.stat().st_mtime_ns for path in kept}


def test_the_first_refresh_adds_every_dataset(first, store):
    assert outcomes(first) == dict.fromkeys(UNCHANGED, "added")
    assert (first.generation, store.latest().number) == ({"from": None, "to": 1}, 1)
    assert {each["name"]: each["rows"] for each in first.datasets} == {
        "items": 3, "forecasts": 20, "inventory": 6,
    }  # fmt: skip
    assert first.progress["done"] == first.progress["total"] > 0
    assert first.started_at <= first.finished_at
    assert store.latest().job_id == first.job_id


def test_nobody_else_may_read_what_a_refresh_made(first, store):
    assert first.finished
    made = [path for path in store.path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in made} == {0}
    assert list(store.staging.iterdir()) == []


def test_a_refresh_without_a_change_makes_no_generation(first, store, refresh):
    before = state(store)
    job = refresh()
    assert (job.status, outcomes(job), job.generation) == (
        "unchanged",
        UNCHANGED,
        {"from": 1, "to": 1},
    )
    assert refresh(force=True).status == "unchanged"
    assert state(store) == before
    assert first.generation["to"] == 1


def test_only_what_changed_is_loaded(first, write_table, refresh, store):
    before = store.latest().tables
    write_table("fact_forecast", forecast_columns(factor=2))
    job = refresh()
    assert outcomes(job) == {**UNCHANGED, "forecasts": "loaded"}
    assert (job.status, job.generation) == ("succeeded", {"from": 1, "to": 2})
    after = store.latest().tables
    assert after["items"] == before["items"]
    assert after["forecasts"].hash != before["forecasts"].hash
    assert first.finished


def test_a_file_that_only_looks_changed_is_copied_and_not_loaded(first, gold, refresh):
    os.utime(gold / "dim_items.parquet")
    job = refresh()
    assert (job.status, outcomes(job)) == ("unchanged", UNCHANGED)
    assert job.progress["total"] == (gold / "dim_items.parquet").stat().st_size
    assert first.finished


@pytest.mark.parametrize(
    "case",
    [
        ({"datasets": ("items",)}, {"items"}),
        ({"datasets": ("inventory",)}, set()),
        ({"source": "other"}, set()),
        ({"source": "gold"}, {"items", "forecasts"}),
    ],
)
def test_only_the_data_of_what_is_named_is_looked_at(first, write_table, submit, case):
    asked, loaded = case
    items = {**item_columns(), "sku": ["NEW-1", "NEW-2", "NEW-3"]}
    write_table("dim_items", items)
    write_table("fact_forecast", forecast_columns(factor=2))
    job = submit(**asked)
    assert {name for name, outcome in outcomes(job).items() if outcome == "loaded"} == loaded
    assert job.status == ("succeeded" if loaded else "unchanged")
    assert first.finished


def test_the_whole_registry_is_applied_whoever_is_named(first, registry_file, write_table, submit):
    write_table("extra", {"k": [1]})
    text = REGISTRY.replace("title: Items", "title: Parts") + MORE
    registry_file.write_text(re.sub(r"  inventory:\n(    .*\n)+", "", text))
    job = submit(datasets=("items",))
    assert outcomes(job) == {
        "items": "reused", "forecasts": "reused", "extra": "added", "inventory": "removed",
    }  # fmt: skip
    assert first.finished


def test_words_make_a_generation_and_load_nothing(first, registry_file, refresh, store):
    registry_file.write_text(REGISTRY.replace("title: Items", "title: Parts"))
    job = refresh()
    assert (job.status, outcomes(job)) == ("succeeded", UNCHANGED)
    assert store.latest().document["datasets"]["items"]["title"] == "Parts"
    assert first.generation["to"] == 1


def test_a_declaration_that_asks_for_more_loads_again(first, registry_file, refresh):
    declared = "    columns: {name: {required: true}}\n    endpoints: [items]"
    registry_file.write_text(REGISTRY.replace("    endpoints: [items]", declared))
    assert outcomes(refresh()) == {**UNCHANGED, "items": "loaded"}
    assert first.finished


def test_a_generation_without_datasets_can_be_made(first, registry_file, refresh):
    registry_file.write_text("version: 1\ndatasets: {}\n")
    assert outcomes(refresh()) == dict.fromkeys(UNCHANGED, "removed")
    assert first.finished


def cut(path):
    path.write_bytes(b"PAR1")


def remove(path):
    path.unlink()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def repeat(path):
    pq.write_table(pa.table({**item_columns(), "item_id": ["A"] * 3}), path)


def lose_keys(path):
    pq.write_table(pa.table({"name": ["a"]}), path)


@pytest.fixture
def untouched(first, store, refresh):
    """Refreshes, and sees to it that no reader can tell."""
    before = state(store)

    def fail():
        job = refresh()
        current, kept = state(store)
        assert (current, before[1].items() <= kept.items()) == (before[0], True)
        assert (store.numbers(), list(store.staging.iterdir())) == ([1], [])
        assert (job.status, job.generation["to"]) == ("failed", None)
        return job

    assert first.finished
    return fail


@pytest.mark.parametrize("fault", [cut, remove, pipe, repeat, lose_keys])
def test_a_failed_refresh_changes_nothing(untouched, gold, write_table, fault):
    write_table("fact_forecast", forecast_columns(factor=2))
    fault(gold / "dim_items.parquet")
    job = untouched()
    assert outcomes(job) == {"items": "failed", "forecasts": "loaded", "inventory": "reused"}
    assert (job.problem["status"], job.generation) == (422, {"from": 1, "to": None})


def test_all_faults_of_all_datasets_are_told_together(first, write_table, refresh):
    write_table("dim_items", {"item_id": ["A", "A", None]})
    write_table("fact_inventory", {**inventory_columns(), "current_stock": ["many"] * 6})
    write_table("fact_forecast", {**forecast_columns(), "date": ["2026-01-01"] * 20})
    job = refresh()
    told = problems(job)
    assert set(told) == {"items", "forecasts"}
    assert len(told["items"]) == 2
    assert "no column 'dataset_id'" in told["items"][0]
    assert told["forecasts"] == ["'time' needs a date or a timestamp; 'date' is string"]
    assert job.problem["type"] == "table-refused"
    assert first.finished


def test_no_path_and_no_word_of_the_engine_is_told(first, gold, refresh, tmp_path):
    (gold / "dim_items.parquet").write_bytes(b"nothing")
    (gold / "fact_forecast.parquet").unlink()
    text = refresh().as_bytes().decode()
    assert str(tmp_path) not in text
    assert "duckdb" not in text.lower()
    assert first.finished


@pytest.mark.parametrize("text", ["", "datasets: 7", "a: &x 1"])
def test_a_broken_registry_changes_nothing(untouched, registry_file, text):
    registry_file.write_text(text)
    job = untouched()
    assert (job.problem["type"], job.datasets) == ("invalid-registry", ())
    assert job.problem["errors"]


CLASHES = [
    ("summary:", "sumary:", "no plugin offers it; did you mean 'summary'?"),
    ("timeseries: {items: items}", "timeseries: {item: items}", "did you mean 'items'?"),
    ("timeseries: {items: items}", "timeseries: {items: itms}", "did you mean 'items'?"),
    ("summary: {}", "summary: {columns: {actual: actul}}", "did you mean 'actual'?"),
    ("inventory]", "inventory: {path: '/items/{id}/timeseries'}}", "share the route"),
]


@pytest.mark.parametrize("clash", CLASHES)
def test_an_endpoint_that_cannot_be_offered_is_refused_with_its_place(
    refresh, registry_file, clash
):
    old, new, told = clash
    text = REGISTRY.replace(old, new).replace("[inventory:", "{inventory:")
    registry_file.write_text(text)
    error = refresh().problem["errors"][-1]
    assert told in error["message"]
    line, column = error["line"], error["column"]
    assert text.splitlines()[line - 1][column - 1 :].startswith(new.split("}")[0])


def test_numbers_go_on_and_old_generations_are_collected(first, write_table, refresh, store):
    for factor in range(2, 9):
        write_table("fact_forecast", forecast_columns(factor=factor))
        assert refresh().generation["to"] == factor
    assert store.numbers() == [*range(1, 9)]
    assert first.generation["to"] == 1


def test_what_a_builder_that_died_left_is_tidied_by_the_next(first, refresh, store):
    (store.generations / "00000002.json").write_bytes(b"{}")
    (store.staging / "job_0").mkdir()
    (store.tables / "abc.unfinished").write_bytes(b"")
    assert refresh().status == "unchanged"
    assert (store.numbers(), list(store.staging.iterdir())) == ([1], [])
    assert not list(store.tables.glob("*unfinished*"))
    assert first.finished


def test_a_table_that_was_lost_is_loaded_again(first, refresh, store):
    store.table_file(store.latest().tables["items"].hash).unlink()
    job = refresh()
    assert job.finished
    assert store.table_file(store.latest().tables["items"].hash).exists()
    assert first.finished


def test_nothing_waits_so_nothing_is_done(settings, store):
    assert build_waiting(settings) is None
    assert Jobs(store).history() == []


@pytest.fixture
def checked(settings, registry_file):
    """What the check of the data finds."""

    def found(text=REGISTRY):
        registry_file.write_text(text)
        return check_data(read_registry(registry_file), Tools.of(settings))

    return found


def test_a_check_finds_what_a_refresh_would_and_makes_no_store(checked, settings, write_table):
    assert checked() == []
    assert [error.slug for error in checked(REGISTRY.replace("summary", "sumary"))] == [
        "invalid-registry"
    ]
    write_table("dim_items", {"item_id": ["A", "A"]})
    write_table("fact_inventory", {"item_id": ["A"]})
    assert [error.facts["dataset"] for error in checked()] == ["items", "inventory"]
    assert not settings.state.exists()


def test_two_datasets_may_be_one_table(first, registry_file, refresh, store):
    more = [ITEMS_AGAIN.replace("again", f"again_{place}") for place in range(8)]
    registry_file.write_text(registry_file.read_text() + "".join(more))
    assert refresh().status == "succeeded"
    tables = store.latest().tables
    assert len({tables[f"again_{place}"].hash for place in range(8)}) == 1
