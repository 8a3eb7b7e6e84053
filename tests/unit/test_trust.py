"""What a refresh refuses, warns of and keeps beside the Table that was served."""

from datetime import timedelta

import pyarrow as pa
import pytest

from app.generation import Store
from tests.conftest import forecast_columns, item_columns


@pytest.fixture
def declare(registry_file):
    """Adds lines to the declaration of forecasts."""

    def add(*lines):
        text = registry_file.read_text()
        place = "    path: fact_forecast.parquet\n"
        added = "".join(f"    {line}\n" for line in lines)
        registry_file.write_text(text.replace(place, place + added))

    return add


def dataset_of(job, name="forecasts"):
    return next(each for each in job.datasets if each["name"] == name)


def shortened(columns, rows):
    return {name: values[:rows] for name, values in columns.items()}


def test_a_refresh_that_drops_too_many_rows_is_refused(declare, refresh, write_table):
    declare("max_row_loss: 0.1")
    refresh()
    write_table("fact_forecast", shortened(forecast_columns(), 17))
    job = refresh()
    assert job.status == "failed"
    assert job.problem["errors"][0]["rule"] == "max_row_loss"
    assert "15.0% of 20 rows" in job.problem["detail"]


def test_a_refresh_that_drops_as_many_rows_as_it_may_is_done(declare, refresh, write_table):
    declare("max_row_loss: 0.2")
    refresh()
    write_table("fact_forecast", shortened(forecast_columns(), 16))
    assert refresh().status == "succeeded"


def test_a_dataset_that_keeps_its_last_table_lets_the_others_go_on(
    declare, refresh, write_table, gold, settings
):
    declare("on_failure: keep_last")
    refresh()
    (gold / "fact_forecast.parquet").write_bytes(b"no parquet")
    write_table("dim_items", {**item_columns(), "name": ["Mast", "Battery", "Cable"]})
    job = refresh()
    assert job.status == "succeeded"
    assert dataset_of(job)["outcome"] == "kept_last"
    assert dataset_of(job, "items")["outcome"] == "loaded"
    latest = Store.at(settings.state).latest()
    assert "no Parquet" in latest.degraded["forecasts"]["reason"]
    assert latest.tables["forecasts"].rows == 20


def test_a_degraded_dataset_is_well_again_with_good_data(
    declare, refresh, write_table, gold, settings
):
    declare("on_failure: keep_last")
    refresh()
    (gold / "fact_forecast.parquet").write_bytes(b"no parquet")
    refresh()
    refresh("items")
    assert "forecasts" in Store.at(settings.state).latest().degraded
    write_table("fact_forecast", forecast_columns("v2"))
    refresh()
    assert Store.at(settings.state).latest().degraded == {}


def test_a_kept_table_keeps_the_declaration_it_was_checked_by(declare, refresh, settings):
    declare("on_failure: keep_last")
    refresh()
    declare("columns: {forecast: {type: number, maximum: 3}}")
    job = refresh()
    assert dataset_of(job)["outcome"] == "kept_last"
    assert dataset_of(job)["problems"][0]["rule"] == "maximum"
    assert "columns" not in Store.at(settings.state).latest().document["datasets"]["forecasts"]


def test_without_a_last_table_there_is_nothing_to_keep(declare, refresh, gold):
    declare("on_failure: keep_last")
    (gold / "fact_forecast.parquet").write_bytes(b"no parquet")
    assert refresh().status == "failed"


def test_a_dataset_that_goes_while_a_plugin_needs_it_is_refused(refresh, registry_file):
    refresh()
    text = registry_file.read_text()
    start, end = text.index("  items:\n"), text.index("  forecasts:\n")
    registry_file.write_text(text[:start] + text[end:])
    job = refresh()
    assert job.problem["type"] == "invalid-registry"
    assert "no dataset 'items'" in job.problem["detail"]


def later(columns, **ages):
    stamps = columns["generated_at"].to_pylist()
    moved = pa.array([each + timedelta(**ages) for each in stamps], pa.timestamp("us", tz="UTC"))
    return {**columns, "generated_at": moved}


@pytest.mark.parametrize(
    ("columns", "rule", "told"),
    [
        (later(forecast_columns(), days=40_000), "generated_at", "reaches into the future"),
        (later(forecast_columns(), days=-40), "generated_at", "goes back"),
        (
            {**forecast_columns(), "dataset_id": ["run-1", "run-2"] * 10},
            "dataset_id",
            "2 dataset_ids where one was served",
        ),
        (
            {**forecast_columns(), "model_version": ["v0"] * 20},
            "model_version",
            "1 model versions are gone",
        ),
    ],
)
def test_a_refresh_warns_of_what_looks_wrong(
    refresh, registry_file, write_table, settings, columns, rule, told
):
    refresh()
    write_table("fact_forecast", columns)
    job = refresh()
    assert job.status == "succeeded"
    warnings = [each for each in dataset_of(job)["problems"] if each["rule"] == rule]
    assert told in warnings[0]["message"]
    assert warnings[0]["severity"] == "warning"
    refresh("items")
    assert len(Store.at(settings.state).latest().findings["forecasts"]) == len(
        dataset_of(job)["problems"]
    )


def test_small_row_groups_are_warned_of(refresh, registry_file, write_table):
    write_table("fact_forecast", forecast_columns(), row_group_size=1)
    rules = [each["rule"] for each in dataset_of(refresh())["problems"]]
    assert rules == ["row_groups"]


def test_a_job_tells_what_changed_by_key(refresh, registry_file, write_table):
    refresh()
    columns = forecast_columns("v2")
    columns["item_id"] = ["A"] * 10 + ["D"] * 10
    write_table("fact_forecast", columns)
    changes = dataset_of(refresh())["changes"]
    assert changes["by_key"] == {"added": 10, "removed": 10, "changed": 8}
    assert changes["rows"] == {"before": 20, "after": 20}
    assert changes["model_versions"] == {"before": ["v0", "v1"], "after": ["v0", "v2"]}
    assert changes["breaking"] == []


def test_what_a_reader_would_stumble_over_is_called_breaking(refresh, registry_file, write_table):
    refresh()
    columns = {**item_columns(), "shelf": [1, 2, 3]}
    columns["color"] = ["red"] * 3
    write_table("dim_items", columns)
    refresh()
    columns["shelf"] = ["1", "2", "3"]
    del columns["color"]
    write_table("dim_items", columns)
    text = registry_file.read_text().replace("    endpoints: [inventory]\n", "")
    registry_file.write_text(text)
    job = refresh()
    assert dataset_of(job, "items")["changes"]["breaking"] == [
        "column 'color' is gone",
        "column 'shelf' was integer and is string",
    ]
    assert dataset_of(job, "inventory")["changes"]["breaking"] == [
        "endpoint 'inventory' is no longer offered"
    ]


def test_sorted_and_unsorted_files_make_equal_tables(refresh, registry_file, write_table, settings):
    columns = forecast_columns()
    refresh()
    backwards = {name: list(reversed(pa.array(each).to_pylist())) for name, each in columns.items()}
    backwards["date"] = pa.array(backwards["date"], pa.date32())
    backwards["generated_at"] = pa.array(backwards["generated_at"], pa.timestamp("us", tz="UTC"))
    write_table("fact_forecast", backwards)
    job = refresh()
    assert dataset_of(job)["outcome"] == "loaded"
    assert dataset_of(job)["changes"]["by_key"] == {"added": 0, "removed": 0, "changed": 0}


def test_a_fault_after_the_commit_makes_no_failure_of_it(
    refresh, registry_file, settings, write_table
):
    refresh()
    (settings.state / "tables" / "a folder").mkdir()
    write_table("fact_forecast", forecast_columns("v2"))
    job = refresh()
    assert (job.status, Store.at(settings.state).latest().number) == ("succeeded", 2)


def test_an_endpoint_that_moves_is_called_breaking(refresh, registry_file):
    refresh()
    text = registry_file.read_text()
    registry_file.write_text(text.replace("summary: {}", "summary: {path: /accuracy}"))
    assert dataset_of(refresh())["changes"]["breaking"] == [
        "endpoint 'summary' moved from /forecasts/summary to /accuracy"
    ]


def test_what_the_dead_left_is_gone_after_a_refresh(refresh, registry_file, settings):
    refresh()
    left = [settings.state / "jobs" / "job_1_x.json.999999999.part"]
    left.append(settings.state / "CURRENT.json.999999999.part")
    for path in left:
        path.write_bytes(b"")
    (settings.state / "spill" / "999999999-abc").mkdir()
    refresh()
    assert not any(path.exists() for path in left)
    assert list((settings.state / "spill").iterdir()) == []
