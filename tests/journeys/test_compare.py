"""Two runs put against each other through HTTP: model versions, and Generations."""

import json

import pytest

from tests.conftest import forecast_columns

COMPARE = "/api/v1/datasets/forecasts/compare"
BEFORE = f"{COMPARE}?with=generation:1"


@pytest.fixture
def rerun(client, write_table, refresh):
    """A client after a second run whose forecasts are twice as large."""
    write_table("fact_forecast", forecast_columns("v2", factor=2.0))
    assert refresh().status == "succeeded"
    return client


def test_a_second_run_is_compared_with_the_kept_generation_before_it(rerun):
    found = rerun.get(f"{BEFORE}&limit=1").json
    assert [found[name] for name in ("only_a", "only_b", "different", "same")] == [0, 0, 20, 0]
    assert found["columns"]["forecast"] == {
        "different": 20,
        "mean_difference": 6.5,
        "max_difference": 11.0,
    }
    assert found["columns"]["actual"]["different"] == 0
    (first,) = found["data"]
    assert (first["item_id"], first["date"]) == ("A", "2026-01-01")
    assert (first["a"]["forecast"], first["b"]["forecast"]) == (2.0, 4.0)
    assert (found["metadata"]["generation"], found["metadata"]["model_version"]) == (2, "v2")


def test_pages_of_a_comparison_have_every_row_once(rerun):
    rows, address = [], f"{BEFORE}&limit=7"
    while address:
        page = rerun.get(address)
        rows += [(row["item_id"], row["date"]) for row in page.json["data"]]
        address = page.json["next"]
        assert (address is not None) == ("Link" in page.headers)
    assert len(rows) == 20
    assert rows == sorted(set(rows))


def test_a_page_goes_on_in_its_generation_after_a_refresh(rerun, write_table, refresh):
    following = rerun.get(f"{BEFORE}&limit=7").json["next"]
    write_table("fact_forecast", forecast_columns("v3"))
    assert refresh().status == "succeeded"
    page = rerun.get(following)
    assert (page.headers["X-Generation"], len(page.json["data"])) == ("2", 7)


def test_two_model_versions_of_one_generation_are_compared(dashboard):
    found = dashboard.get(f"{COMPARE}?a=v0&b=v1").json
    assert [found[name] for name in ("only_a", "only_b", "different", "same")] == [4, 16, 0, 0]
    assert found["metadata"]["model_versions"] == ["v0", "v1"]


def test_a_generation_whose_table_is_the_same_differs_in_nothing(rerun):
    found = rerun.get("/api/v1/datasets/items/compare?with=generation:1").json
    assert (found["different"], found["same"], found["next"]) == (0, 3, None)


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ("", 400, "invalid-parameter"),
        ("?a=v0", 400, "invalid-parameter"),
        ("?with=generation:1&a=v0&b=v1", 400, "invalid-parameter"),
        ("?with=1", 400, "invalid-parameter"),
        ("?a=v0&b=v9", 404, "not-found"),
        ("?with=generation:99", 410, "generation-gone"),
    ],
)
def test_what_cannot_be_compared_is_refused(dashboard, query, status, slug):
    refused = dashboard.get(COMPARE + query)
    assert (refused.status_code, refused.json["type"].rpartition(":")[2]) == (status, slug)


def test_a_dataset_that_was_not_there_is_gone_in_that_generation(
    client, registry_file, write_table, refresh
):
    registry = registry_file.read_text()
    block = registry[registry.index("  inventory:") :].replace("inventory:", "stock:", 1)
    registry_file.write_text(registry + block.replace("endpoints: [inventory]", "title: Stock"))
    assert refresh().status == "succeeded"
    refused = client.get("/api/v1/datasets/stock/compare?with=generation:1")
    assert (refused.status_code, refused.json["dataset"]) == (410, "stock")


def test_a_generation_that_is_collected_meanwhile_is_gone(rerun, settings):
    found = rerun.get(f"{BEFORE}&limit=1")
    assert found.status_code == 200
    manifests = sorted(settings.state.rglob("0000000?.json"))
    older, newer = (json.loads(each.read_text())["tables"]["forecasts"] for each in manifests)
    assert older["hash"] != newer["hash"]
    next(settings.state.rglob(f"{older['hash']}.duckdb")).unlink()
    assert rerun.get(f"{BEFORE}&limit=2").status_code == 410


def test_history_names_the_generations_that_can_be_compared(rerun):
    history = rerun.get("/api/v1/datasets/forecasts/lineage").json["history"]
    assert [each["generation"] for each in history] == [2, 1]
    assert [each["versions"][-1]["model_version"] for each in history] == ["v2", "v1"]
    pinned = rerun.get("/api/v1/datasets/forecasts/lineage?generation=1").json
    assert [each["generation"] for each in pinned["history"]] == [1]
