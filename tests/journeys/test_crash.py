"""Processes die: what was served goes on being served, and the next refresh finds no ruins."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.generation import Store
from app.refresh import Jobs
from tests.conftest import FIRST_DAY, ROOT, forecast_columns, free_port
from tests.journeys.conftest import builders, forecast_rows, until

REFRESH = "/api/v1/data/refresh"
SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
SLOW = '''\
"""An endpoint that takes its time."""

from time import sleep

from app.plugin import Endpoint, Parameter, hookimpl


@hookimpl
def endpoints(dataset):
    def answer(call):
        sleep(1.5)
        return {"id": call["id"]}

    return [Endpoint("slow", "/slow/{id}", answer, "Slow", (Parameter("id"),))]
'''


@pytest.fixture
def settings(settings, tmp_path):
    """The usual settings, with a plugin that is slow."""
    folder = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", folder)
    (folder / "slow.py").write_text(SLOW)
    return replace(settings, plugins=folder)


def get(url, **headers):
    with urlopen(Request(url, headers=headers), timeout=30) as answer:
        return json.load(answer)


def kill(process):
    """Kill a process, which may have ended by itself."""
    with suppress(psutil.NoSuchProcess):
        process.kill()
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def many_rows(version):
    """Give forecasts that take a good second to load."""
    count = 800_000
    days = pa.array([FIRST_DAY + timedelta(day) for day in range(200)], pa.date32())
    rows = forecast_rows(*[("A", 1, 1.0, 1.0)] * (count // 200))
    columns = {name: pa.concat_arrays([pa.array(each)] * 200) for name, each in rows.items()}
    items = [f"I-{number}" for number in range(count // 200)]
    return {
        **columns,
        "item_id": pa.concat_arrays([pa.array(items)] * 200),
        "date": days.take(pa.array([row // (count // 200) for row in range(count)])),
        "model_version": pa.repeat(version, count),
    }


def leftovers(settings):
    store = Store.at(settings.state)
    with store.lock("build"):
        # The builder tidies up after it has said that it is done.
        pass
    kept = {
        t.hash for n in store.numbers() for t in store.manifest(f"{n:08d}.json").tables.values()
    }
    tables = [
        path.name for path in store.tables.iterdir() if path.name.partition(".")[0] not in kept
    ]
    return tables + [path.name for path in (*store.staging.iterdir(), *store.spill.iterdir())]


def started(client, admin):
    answer = client.post(REFRESH, headers=admin)
    assert answer.status_code == 202
    return f"{REFRESH}/{answer.json['job_id']}"


def settled(client, admin, job):
    """Give the record of a job whose builder is dead; its last thread may hold on for a moment."""

    def told():
        record = client.get(job, headers=admin).json
        return record if record["status"] != "running" else None

    return until(told)


def finished(client, admin, job):
    record = client.get(job, headers=admin).json
    return record if record["status"] in {"failed", "succeeded"} else None


def copied(settings):
    return any(settings.state.glob("staging/*/forecasts/*.parquet"))


def loading(settings):
    return any(settings.state.glob("tables/*.unfinished"))


def status(settings):
    return Jobs(Store.at(settings.state)).history()[0].status


def running(settings):
    return status(settings) == "running"


def test_a_builder_that_is_killed_before_it_begins_keeps_nobody_waiting(client, admin, settings):
    with Store.at(settings.state).lock("build"):
        job = started(client, admin)
        (builder,) = until(lambda: builders(settings))
        kill(builder)
        told = until(lambda: finished(client, admin, job), seconds=5)
    assert (told["status"], told["problem"]["reason"]) == ("failed", "interrupted")
    assert told["started_at"] is None
    again = client.post(REFRESH, headers={**admin, "Prefer": "wait=30"}).json
    assert again["status"] == "unchanged"


@pytest.mark.parametrize("moment", [running, copied, loading])
def test_a_builder_that_is_killed_changes_nothing(client, admin, settings, moment):
    write_forecasts(settings, many_rows("v2"))
    before = client.get(SERIES).data
    job = started(client, admin)
    (builder,) = until(lambda: builders(settings))
    until(lambda: moment(settings))
    kill(builder)
    told = settled(client, admin, job)
    assert (told["status"], told["problem"]["reason"]) == ("failed", "interrupted")
    assert client.get(SERIES).data == before
    assert client.get("/health").json["generation"]["last_refresh"]["status"] == "failed"
    write_forecasts(settings, forecast_columns("v3"))
    again = client.post(REFRESH, headers={**admin, "Prefer": "wait=30"}).json
    assert again["generation"] == {"from": 1, "to": 2}
    assert client.get(SERIES).json["metadata"]["model_version"] == "v3"
    assert leftovers(settings) == []


def test_a_builder_that_is_killed_at_any_moment_leaves_the_old_or_the_new(client, admin, settings):
    for number in range(8):
        before = int(client.get(SERIES).headers["X-Generation"])
        write_forecasts(settings, forecast_columns(f"v{number}"))
        job = started(client, admin)
        until(lambda: status(settings) != "triggered")
        time.sleep(0.025 * number)
        for builder in builders(settings):
            kill(builder)
        told = settled(client, admin, job)
        now = int(client.get(SERIES).headers["X-Generation"])
        done = told["status"] == "succeeded"
        assert now == before + done
    last = client.post(REFRESH, headers={**admin, "Prefer": "wait=30"})
    assert last.status_code == 200
    assert client.get(SERIES).json["metadata"]["model_version"] == "v7"
    assert leftovers(settings) == []


def write_forecasts(settings, columns):
    path = settings.registry.parent / "gold" / "fact_forecast.parquet"
    pq.write_table(pa.table(columns), path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def test_a_worker_that_is_killed_is_replaced_while_others_answer(server, registry_file, settings):
    assert registry_file.exists()
    running = server(workers=3)
    address = f"{running.url}{SERIES}"
    before = until(lambda: get(address) and workers(settings, 3))
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    outcomes = [answered(address) for _ in range(200)]
    assert outcomes.count(False) <= 4
    after = until(lambda: get(address) and workers(settings, 4))
    assert len(after - before) == 1
    assert running.process.poll() is None


def workers(settings, count):
    """Give the processes that ever said which Generation they serve, if there are so many."""
    marks = [json.loads(path.read_bytes()) for path in settings.state.glob("workers/*.json")]
    return {mark["pid"] for mark in marks} if len(marks) == count else None


def answered(address):
    try:
        return bool(get(address)["timeseries"])
    except (URLError, OSError):
        return False


def test_a_service_that_is_told_to_stop_finishes_what_it_accepted(server, registry_file):
    text = registry_file.read_text()
    registry_file.write_text(text.replace("endpoints: [items]", "endpoints: [items, slow]"))
    running = server(workers=2)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(get, f"{running.url}/api/v1/slow/{n}") for n in range(20)]
        time.sleep(0.7)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(URLError):
            get(f"{running.url}/health/live")
        assert [each.result()["id"] for each in asked] == [str(n) for n in range(20)]
    assert running.process.wait(timeout=20) == 0


def test_with_a_broken_registry_an_earlier_generation_is_served(server, registry_file, refresh):
    assert refresh().status == "succeeded"
    registry_file.write_text("version: 1\ndatasets:\n  items: {sauce: gold}\n")
    running = server()
    assert len(get(f"{running.url}{SERIES}")["timeseries"]) == 10
    health = get(f"{running.url}/health")
    assert health["status"] == "degraded"
    assert "datasets.yaml" in health["registry"]
    assert "datasets.yaml:3:11" in running.told()


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda path: path.write_text("version: 1\nsauces: {}\n"), "datasets.yaml:2:1"),
        (lambda path: path.unlink(), "datasets.yaml:1:1"),
        (lambda path: (path.parent / "gold/dim_items.parquet").unlink(), "dim_items.parquet"),
    ],
)
def test_with_nothing_to_serve_a_service_says_why_and_ends(registry_file, settings, mistake, told):
    mistake(registry_file)
    ended = subprocess.run(
        [sys.executable, "-m", "app", "serve"],
        cwd=ROOT,
        env={**os.environ, **settings.environment(), "ASSAY_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_restarted_service_serves_what_it_served(server, registry_file, admin):
    assert registry_file.exists()
    first = server()
    etag = read_etag(first)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(timeout=20) == 0
    registry_file.parent.joinpath("gold").rename(registry_file.parent / "away")
    second = server()
    assert read_etag(second) == etag
    assert get(f"{second.url}{REFRESH}", **admin)["jobs"][0]["status"] == "succeeded"


def read_etag(running):
    with urlopen(f"{running.url}{SERIES}", timeout=30) as answer:
        return answer.headers["ETag"]


def test_a_state_directory_is_for_the_service_alone(client, settings):
    assert client.get(SERIES).status_code == 200
    assert Path(settings.state).stat().st_mode & 0o077 == 0
