"""A refresh is planned before, and taken back after: dry runs, rollback and history over HTTP."""

import json
import subprocess
import sys
import threading
import time
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest

from app.generation import Store
from app.refresh import Jobs, Request
from tests.conftest import ROOT, forecast_columns, key_headers

URL = "/api/v1/data/refresh"


def dry_run(client, admin, **body):
    return client.post(URL, headers=admin, json={"dry_run": True, **body})


def factor_of(client):
    answer = client.get("/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-01")
    return answer.get_json()["timeseries"][0]["forecast"]


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    client, admin, write_table, settings
):
    write_table("fact_forecast", forecast_columns("v2", factor=3.0))
    before = sorted(path.name for path in settings.state.rglob("*"))
    answer = dry_run(client, admin)
    assert answer.status_code == 200
    change = {each["name"]: each for each in answer.get_json()["changes"]}["forecasts"]
    assert change["by_key"] == {"added": 0, "removed": 0, "changed": 20}
    assert change["model_versions"]["after"] == ["v0", "v2"]
    after = sorted(path.name for path in settings.state.rglob("*"))
    assert after == before
    assert factor_of(client) == 2.0


def test_a_dry_run_is_refused_like_the_refresh_would_be(client, admin, gold):
    (gold / "fact_forecast.parquet").write_bytes(b"no parquet")
    answer = dry_run(client, admin)
    assert answer.status_code == 422
    assert answer.get_json()["type"] == "urn:assay:problem:source-refused"


def test_a_dry_run_names_what_would_break(client, admin, registry_file):
    text = registry_file.read_text()
    registry_file.write_text(text[: text.index("  inventory:\n")])
    assert dry_run(client, admin).get_json()["breaking"] == ["inventory: the dataset is gone"]


def test_a_dry_run_knows_only_what_is_declared(client, admin):
    assert dry_run(client, admin, datasets=["forecast"]).status_code == 422


def plan(settings, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "app", "plan", *arguments],
        cwd=ROOT,
        env={**settings.environment(), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_plans_with_an_exit_code(client, settings, registry_file, write_table):
    write_table("fact_forecast", forecast_columns("v2"))
    done = plan(settings)
    assert done.returncode == 0
    assert "forecasts: loaded, 20 -> 20 rows (+0 -0 ~16)" in done.stdout
    text = registry_file.read_text()
    registry_file.write_text(text[: text.index("  inventory:\n")])
    done = plan(settings, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["breaking"] == ["inventory: the dataset is gone"]
    registry_file.write_text("version: 1\ndatasets: 7\n")
    assert plan(settings).returncode == 1


def test_a_rollback_brings_a_kept_generation_back_under_a_new_number(
    client, admin, refresh, write_table
):
    write_table("fact_forecast", forecast_columns("v2", factor=3.0))
    refresh()
    assert factor_of(client) == 6.0
    answer = client.post(URL, headers=admin, json={"generation": 1})
    assert answer.status_code == 200
    job = answer.get_json()
    assert (job["status"], job["generation"]) == ("succeeded", {"from": 2, "to": 3})
    assert factor_of(client) == 2.0
    assert client.get("/api/v1/items").headers["X-Generation"] == "3"


def test_a_rollback_reads_no_source(client, admin, refresh, gold, write_table):
    write_table("fact_forecast", forecast_columns("v2", factor=3.0))
    refresh()
    for path in gold.iterdir():
        path.unlink()
    assert client.post(URL, headers=admin, json={"generation": 1}).status_code == 200
    assert factor_of(client) == 2.0


def test_a_rollback_to_what_is_served_changes_nothing(client, admin):
    job = client.post(URL, headers=admin, json={"generation": 1}).get_json()
    assert (job["status"], job["generation"]["to"]) == ("unchanged", 1)


def test_a_generation_that_is_not_kept_is_gone(client, admin):
    answer = client.post(URL, headers=admin, json={"generation": 7})
    assert answer.status_code == 410
    assert answer.get_json()["kept"] == [1]


@pytest.mark.parametrize("other", [{"force": True}, {"datasets": ["items"]}, {"dry_run": False}])
def test_a_rollback_goes_alone(client, admin, other):
    answer = client.post(URL, headers=admin, json={"generation": 1, **other})
    assert answer.status_code == 422
    assert "goes alone" in answer.get_json()["detail"]


def test_a_rollback_joins_nothing(client, admin, settings):
    store = Store.at(settings.state)
    with store.lock("build"):
        answer = client.post(URL, headers=admin, json={"generation": 1})
    assert (answer.status_code, answer.get_json()["type"]) == (
        409,
        "urn:assay:problem:refresh-running",
    )
    Jobs(store).submit(Request(by="test"))
    assert client.post(URL, headers=admin, json={"generation": 1}).status_code == 409


def test_a_rollback_waits_for_a_builder_that_only_tidies(client, admin, settings):
    held, asked = threading.Event(), Store.at(settings.state)

    def tidy():
        with asked.lock("build"):
            held.set()
            time.sleep(0.2)

    tidying = threading.Thread(target=tidy)
    tidying.start()
    held.wait()
    assert client.post(URL, headers=admin, json={"generation": 1}).status_code == 200
    tidying.join()


def test_the_history_says_who_when_and_what(client, admin, refresh, settings):
    client.post(URL, headers=admin, json={"generation": 1})
    jobs = client.get(URL, headers=key_headers(settings, "refresh")).get_json()["jobs"]
    assert jobs[0]["requested_by"] == [admin["X-API-Key"].split("_")[1]]
    assert [job["status"] for job in jobs] == ["unchanged", "succeeded"]
    assert all(job["seconds"] >= 0 for job in jobs)
    assert jobs[1]["datasets"][0]["changes"]["rows"] == {"before": None, "after": 3}


def test_a_degraded_dataset_is_told_of_everywhere(client, refresh, registry_file, gold):
    text = registry_file.read_text()
    place = "    path: fact_forecast.parquet\n"
    registry_file.write_text(text.replace(place, f"{place}    on_failure: keep_last\n"))
    (gold / "fact_forecast.parquet").write_bytes(b"no parquet")
    assert refresh().status == "succeeded"
    answer = client.get("/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-01").get_json()
    assert "no Parquet" in answer["metadata"]["degraded"]
    health = client.get("/health").get_json()
    assert (health["status"], health["datasets"]["forecasts"]) == ("degraded", "degraded")
    detail = client.get("/api/v1/datasets/forecasts").get_json()
    assert "no Parquet" in detail["degraded"]["reason"]
    assert detail["consistency"] == "one file"


def test_workers_are_ready_for_a_new_shape_before_it_is_committed(
    registry_file, settings, server, write_table, admin
):
    base = server(workers=2).url
    text = registry_file.read_text()
    registry_file.write_text(text.replace("title: Items", "title: Other items"))
    done = post(base, admin)
    assert done["status"] == "succeeded"
    until = time.monotonic() + 5
    while time.monotonic() < until:
        workers = job_of(base, admin, done["job_id"])["workers"]
        if [worker["generation"] for worker in workers] == [2, 2]:
            return
    raise AssertionError(workers)


def post(base, admin):
    headers = {**admin, "Prefer": "wait=30"}
    with urlopen(Call(f"{base}{URL}", method="POST", headers=headers), timeout=40) as answer:
        return json.loads(answer.read())


def job_of(base, admin, job_id):
    with urlopen(Call(f"{base}{URL}/{job_id}", headers=admin), timeout=10) as answer:
        return json.loads(answer.read())
