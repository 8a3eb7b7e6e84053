"""Trouble around a refresh: full disks, read-only state, sources that turn into something else."""

import errno
import os
import resource
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from werkzeug.test import Client

from app.generation import Store
from app.refresh import Jobs, Request
from app.service import make_front
from tests.conftest import forecast_columns

URL = "/api/v1/data/refresh"
SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-10"
FACTS = "fact_forecast.parquet"


def call(client, admin):
    return client.post(URL, headers={**admin, "Prefer": "wait=30"})


def slug(answer):
    return answer.get_json()["type"].rpartition(":")[2]


@pytest.fixture
def small_state(settings):
    """The state directory on a file system of its own, of six mebibytes."""
    settings.state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(settings.state)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield settings.state
    subprocess.run(["umount", "-l", str(settings.state)], check=True)


@pytest.mark.usefixtures("small_state")
def test_a_full_disk_refuses_the_refresh_and_serves_on(settings, client, admin, write_table):
    before = client.get(SERIES).get_json()
    filler = settings.state / "filler"
    with suppressed(errno.ENOSPC), filler.open("wb") as file:
        while True:
            file.write(b"x" * 65536)
            file.flush()
    write_table("fact_forecast", forecast_columns("v2"))
    answer = call(client, admin)
    assert (answer.status_code, slug(answer)) in {(507, "no-room"), (503, "state-unusable")}
    assert client.get(SERIES).get_json() == before
    filler.unlink()
    assert call(client, admin).get_json()["status"] == "succeeded"
    assert list((settings.state / "staging").iterdir()) == []


@pytest.mark.usefixtures("small_state")
def test_a_source_larger_than_the_room_is_refused_before_it_is_copied(client, admin, write_table):
    count = 400_000
    columns = forecast_columns()
    noise = {name: [os.urandom(16).hex() for _ in range(count)] for name in ("item_id",)}
    wide = {
        name: [next(iter(values))] * count for name, values in columns.items() if name != "item_id"
    }
    write_table("fact_forecast", {**wide, **noise}, compression="none")
    answer = call(client, admin)
    assert (answer.status_code, slug(answer)) == (507, "no-room")
    assert answer.get_json()["bytes_needed"] > answer.get_json()["bytes_free"]


def test_a_read_only_state_refuses_the_refresh_and_serves_on(
    small_state, client, admin, write_table
):
    before = client.get(SERIES).get_json()
    write_table("fact_forecast", forecast_columns("v2"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_state)], check=True)
    answer = call(client, admin)
    assert (answer.status_code, slug(answer)) == (503, "state-unusable")
    assert str(small_state) not in answer.text
    assert client.get(SERIES).get_json() == before
    subprocess.run(["mount", "-o", "remount,rw", str(small_state)], check=True)
    assert call(client, admin).get_json()["status"] == "succeeded"


def test_a_worker_without_descriptors_refuses_the_refresh_and_serves_on(client, admin):
    before = client.get(SERIES).get_json()
    assert client.get(URL, headers=admin).status_code == 200
    with few_descriptors():
        answer = call(client, admin)
        assert (answer.status_code, slug(answer)) == (503, "state-unusable")
        assert client.get(SERIES).get_json() == before
    assert call(client, admin).get_json()["status"] == "unchanged"


@contextmanager
def few_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this process
    held = [os.dup(0) for _ in range(used)]
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


@contextmanager
def suppressed(number):
    try:
        yield
    except OSError as error:
        if error.errno != number:
            raise


def truncated(path):
    path.write_bytes(path.read_bytes()[:100])


def overwritten(path):
    path.write_bytes(b"x" * path.stat().st_size)


def deleted(path):
    path.unlink()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_symlink(path):
    moved = path.with_suffix(".moved")
    path.rename(moved)
    path.symlink_to(moved)


@pytest.mark.parametrize("turned", [truncated, overwritten, deleted, a_pipe, a_folder, a_symlink])
def test_a_source_that_turned_into_something_else_is_refused(
    client, admin, gold, turned, write_table
):
    before = client.get(SERIES).get_json()
    path = gold / FACTS
    turned(path)
    assert client.get(SERIES).get_json() == before
    answer = call(client, admin)
    assert (answer.status_code, slug(answer)) == (422, "source-refused")
    assert client.get(SERIES).get_json() == before
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    write_table("fact_forecast", forecast_columns("v2"))
    assert call(client, admin).get_json()["status"] == "succeeded"


@pytest.mark.usefixtures("registry_file")
def test_what_happens_to_a_served_source_is_not_seen_before_a_refresh(
    settings, refresh, gold, soak
):
    refresh()
    client = Client(make_front(settings))
    before = client.get(SERIES).get_json()
    kept = gold.parent / "kept"
    shutil.copytree(gold, kept)
    over = threading.Event()
    spoiler = threading.Thread(target=spoil, args=(gold, kept, over))
    spoiler.start()
    until = time.monotonic() + (300 if soak else 5)
    reads = 0
    while time.monotonic() < until:
        answer = client.get(f"{SERIES[:-2]}{reads % 9 + 1:02}")
        assert answer.status_code == 200
        rows = answer.get_json()["timeseries"]
        assert rows == before["timeseries"][: reads % 9 + 1]
        reads += 1
    over.set()
    spoiler.join()
    assert reads > 100


def spoil(gold, kept, over):
    while not over.is_set():
        for turn in (truncated, overwritten, deleted, a_pipe, a_folder, a_symlink):
            turn(gold / FACTS)
            shutil.rmtree(gold)
            shutil.copytree(kept, gold)


def test_a_job_is_found_though_the_clock_was_set_back(settings, refresh, registry_file):
    assert registry_file.exists()
    assert refresh().status == "succeeded"
    jobs = Jobs(Store.at(settings.state))
    newest = jobs.history()[0]
    ahead = settings.state / "jobs" / f"job_{10**19:020d}_00000000.json"
    ahead.write_bytes(newest.as_bytes().replace(newest.job_id.encode(), ahead.stem.encode()))
    job, _ = jobs.submit(Request(by="test"))
    assert jobs.waiting() == job
    assert jobs.history()[0] == job
