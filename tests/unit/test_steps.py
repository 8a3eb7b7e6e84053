"""Deciding on the steps of a refresh: what is loaded, and what stays as it is."""

import os

import pytest

from app.generation import Store
from app.refresh import Request
from app.refresh.steps import decide_steps
from app.registry import read_registry
from tests.conftest import REGISTRY

EVERYTHING = {"items", "forecasts", "inventory"}


@pytest.fixture
def planned(settings, registry_file, refresh):
    """The datasets that calls would have loaded, after a first refresh."""
    assert refresh().status == "succeeded"

    def names(*requests):
        tables = Store(settings.state).latest().tables
        steps = decide_steps(read_registry(registry_file), tables, requests)
        assert all(step.previous is tables.get(step.dataset.name) for step in steps)
        assert all(step.kept in (None, step.previous) for step in steps)
        return {step.dataset.name for step in steps if step.kept is None}

    return names


def touch(gold, name):
    path = gold / name
    path.write_bytes(path.read_bytes())


def test_nothing_is_there_so_everything_is_loaded(registry_file):
    steps = decide_steps(read_registry(registry_file), {}, [Request()])
    assert {step.dataset.name for step in steps} == EVERYTHING
    assert all(step.kept is step.previous is None for step in steps)


def test_what_looks_as_it_did_stays(planned):
    assert planned(Request()) == set()
    assert planned() == set()


def test_what_is_forced_is_loaded(planned):
    assert planned(Request(force=True)) == EVERYTHING
    assert planned(Request(datasets=("items",), force=True), Request()) == {"items"}
    assert planned(Request("other", force=True)) == set()


@pytest.mark.parametrize("change", ["rewritten", "replaced", "touched", "gone", "a folder"])
def test_a_file_that_looks_otherwise_is_loaded(planned, gold, change):
    path = gold / "dim_items.parquet"
    if change == "rewritten":
        touch(gold, path.name)
    elif change == "replaced":
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").replace(path)
    elif change == "touched":
        os.utime(path)
    else:
        path.unlink()
    if change == "a folder":
        path.mkdir()
    assert planned(Request()) == {"items"}


@pytest.mark.parametrize(
    ("request_", "loaded"),
    [
        (Request(), {"items", "forecasts"}),
        (Request("gold"), {"items", "forecasts"}),
        (Request("other"), set()),
        (Request(datasets=("items",)), {"items"}),
        (Request(datasets=("inventory",)), set()),
    ],
)
def test_only_what_is_named_is_looked_at(planned, gold, request_, loaded):
    touch(gold, "dim_items.parquet")
    touch(gold, "fact_forecast.parquet")
    assert planned(request_) == loaded


def test_calls_together_look_at_what_each_names(planned, gold):
    touch(gold, "dim_items.parquet")
    touch(gold, "fact_forecast.parquet")
    assert planned(Request(datasets=("items",)), Request(datasets=("forecasts",))) == {
        "items",
        "forecasts",
    }


def test_a_declaration_that_asks_for_another_table_is_loaded_whoever_is_named(
    planned, registry_file
):
    registry_file.write_text(REGISTRY.replace("keys: [item_id]", "keys: [sku]"))
    assert planned(Request(datasets=("inventory",))) == {"items"}


def test_a_declaration_with_other_words_is_not(planned, registry_file):
    registry_file.write_text(REGISTRY.replace("title: Items", "title: Parts"))
    assert planned(Request()) == set()


def test_a_draft_is_not_planned(registry_file):
    drafted = REGISTRY.replace("    title: Items\n", "    status: draft\n")
    registry_file.write_text(drafted.replace("{items: items}", "{}"))
    steps = decide_steps(read_registry(registry_file), {}, [Request()])
    assert [step.dataset.name for step in steps] == ["forecasts", "inventory"]
