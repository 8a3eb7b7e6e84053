"""The book of jobs: one runs, one waits, and none is lost with its builder."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import pytest

from app.discovery import Plugins
from app.errors import InvalidBodyError, NotFoundError
from app.generation import Manifest, Store
from app.generation import commit as move_to
from app.refresh import Job, Jobs, Request
from app.refresh.refresher import Refresher, check_names
from app.registry import read_registry

ROOT = Path(__file__).parents[2]
ALL = Request(by="test")
ENDED = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "state")


@pytest.fixture
def jobs(store):
    return Jobs(store)


def finished(jobs, status="succeeded"):
    jobs.submit(ALL)
    job = replace(jobs.start(), status=status, finished_at="2026-01-02T12:00:00.000Z")
    jobs.write(job)
    return job


def test_a_call_is_written_down_as_a_job_that_waits(jobs):
    job, new = jobs.submit(Request("gold", ("items",), force=True, by="key"))
    assert new
    assert (job.status, job.finished, job.started_at) == ("triggered", False, None)
    assert job.requests == (Request("gold", ("items",), force=True, by="key"),)
    assert jobs.waiting() == jobs.job(job.job_id) == job
    assert job.requested_at.endswith("Z")


def test_calls_that_come_while_a_job_waits_join_it(jobs):
    job, _ = jobs.submit(ALL)
    other = Request("gold", force=True, by="other")
    joined, new = jobs.submit(other)
    assert (joined.job_id, new) == (job.job_id, False)
    assert jobs.job(job.job_id).requests == (ALL, other)
    assert len(jobs.history()) == 1


def test_a_call_that_comes_while_a_job_runs_waits_for_the_next(jobs, store):
    with store.lock("build"):
        first, _ = jobs.submit(ALL)
        assert jobs.start().job_id == first.job_id
        second, new = jobs.submit(ALL)
        assert new
        assert second.job_id > first.job_id
        assert [job.status for job in jobs.history()] == ["triggered", "running"]
        third, new = jobs.submit(ALL)
        assert (third.job_id, new) == (second.job_id, False)


def test_many_calls_at_once_make_one_job(jobs, store):
    with ThreadPoolExecutor(8) as threads:
        asked = [Request(by=str(n)) for n in range(24)]
        submitted = list(threads.map(Jobs(store).submit, asked))
    assert sum(new for _, new in submitted) == 1
    assert len({job.job_id for job, _ in submitted}) == 1
    assert {request.by for request in jobs.waiting().requests} == {str(n) for n in range(24)}


def test_nothing_to_do_is_nothing_to_start(jobs):
    assert (jobs.start(), jobs.waiting(), jobs.history(), jobs.last_finished()) == (
        None,
        None,
        [],
        None,
    )


def test_a_job_is_started_once(jobs, store):
    with store.lock("build"):
        job, _ = jobs.submit(ALL)
        running = jobs.start()
        assert (running.job_id, running.status) == (job.job_id, "running")
        assert running.started_at >= job.requested_at
        assert jobs.start() is None


def test_a_record_survives_being_written_down():
    job = Job(
        "job_1",
        (Request("gold", ("a", "b"), force=True, by="x"), ALL),
        status="failed",
        started_at="2026-01-02T12:00:00.000Z",
        generation={"from": 1, "to": None},
        progress={"done": 3, "total": 7},
        datasets=({"name": "a", "outcome": "failed", "problems": [{"rule": "keys"}]},),
        problem={"type": "table-refused", "errors": []},
    )
    assert Job.from_bytes(job.as_bytes()) == job


def test_history_is_newest_first_and_knows_the_last_that_ended(jobs, store):
    with store.lock("build"):
        one, other = finished(jobs, "failed"), finished(jobs, "unchanged")
        running, _ = jobs.submit(ALL)
        jobs.start()
        assert [job.job_id for job in jobs.history()] == [running.job_id, other.job_id, one.job_id]
        assert jobs.last_finished() == other


def test_the_last_that_ended_is_known_at_once(jobs, store):
    with store.lock("build"):
        one = finished(jobs, "failed")
        assert jobs.last_finished() == one
        seen = store.jobs.stat()
        other = finished(jobs, "failed")
        # As if both had ended within one tick of the clock.
        os.utime(store.jobs, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        assert jobs.last_finished() == other
        sleep(0.06)
        assert jobs.last_finished() == jobs.last_finished() == other
        assert finished(jobs, "failed") == jobs.last_finished()


STRANGE = [
    "",
    ".",
    "..",
    "../CURRENT",
    "job_1/../job_1",
    "/etc/passwd",
    "job_1.json",
    "*",
    "a\0b",
    "x" * 300,
]


@pytest.mark.parametrize("job_id", [*STRANGE, "job_99", "ⅷ"])
def test_a_job_that_is_not_in_the_book_is_not_found_wherever_its_id_leads(jobs, store, job_id):
    (store.path / "secret.json").write_bytes(jobs.submit(ALL)[0].as_bytes())
    with pytest.raises(NotFoundError) as caught:
        jobs.job(job_id)
    assert caught.value.facts == {"job_id": job_id}


@pytest.mark.parametrize("job_id", ["../secret", "_/../../secret", "..%2fsecret"])
def test_an_id_does_not_leave_the_folder_of_jobs(jobs, store, job_id):
    (store.path / "secret.json").write_bytes(Job("secret", (ALL,)).as_bytes())
    with pytest.raises(NotFoundError):
        jobs.job(job_id)


def test_a_thousand_records_are_kept(jobs, store):
    for n in range(1_005):
        path = store.jobs / f"job_{n:020d}_00000000.json"
        path.write_bytes(Job(path.stem, (ALL,), status="succeeded").as_bytes())
    jobs.forget_old()
    kept = sorted(path.name for path in store.jobs.iterdir())
    assert (len(kept), kept[0]) == (1_000, "job_00000000000000000005_00000000.json")


def test_a_job_is_expected_to_take_as_long_as_the_last_good_one(jobs, store):
    with store.lock("build"):
        started = ENDED - timedelta(seconds=120)
        jobs.write(replace(finished(jobs), started_at=started.isoformat()))
        jobs.write(replace(finished(jobs, "failed"), started_at=ENDED.isoformat()))
    job, _ = jobs.submit(ALL)
    expected = datetime.fromisoformat(job.estimated_completion) - datetime.now(UTC)
    assert timedelta(seconds=110) < expected < timedelta(seconds=121)


BUILD = """
import sys
from pathlib import Path
from app.generation import Store
from app.refresh import Jobs
store = Store(Path(sys.argv[1]))
with store.lock("build"):
    print(Jobs(store).start().job_id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def builder(store, jobs):
    """A builder process that has started the job that waits, and does not get further."""
    jobs.submit(ALL)
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, str(store.path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        job_id = process.stdout.readline().decode().strip()
        yield process, job_id
        process.kill()


def kill(process):
    process.kill()
    process.wait()


def test_a_job_whose_builder_is_killed_has_failed_as_interrupted(jobs, builder):
    process, job_id = builder
    assert jobs.job(job_id).status == "running"
    assert jobs.last_finished() is None
    kill(process)
    job = jobs.job(job_id)
    assert (job.status, job.problem["reason"]) == ("failed", "interrupted")
    assert job.finished_at >= job.started_at
    assert jobs.history() == [job]
    assert jobs.last_finished() == job


def test_a_job_whose_builder_is_killed_after_the_commit_has_succeeded(jobs, store, builder):
    process, job_id = builder
    move_to(store, Manifest(7, ENDED, job_id, {}, store.path, {}))
    kill(process)
    (job,) = jobs.history()
    assert (job.status, job.problem) == ("succeeded", None)
    assert job.generation["to"] == 7


def test_the_next_job_starts_after_a_builder_was_killed(jobs, builder):
    process, job_id = builder
    waiting, new = jobs.submit(ALL)
    assert new
    assert waiting.job_id != job_id
    kill(process)
    assert jobs.start().job_id == waiting.job_id


@pytest.mark.parametrize(
    ("request_", "looked_at"),
    [
        (Request(), ["gold.a", "gold.b", "lake.c"]),
        (Request("gold"), ["gold.a", "gold.b"]),
        (Request(None, ("b", "c")), ["gold.b", "lake.c"]),
        (Request("gold", ("a",)), ["gold.a"]),
    ],
)
def test_a_call_says_whose_data_is_looked_at(request_, looked_at):
    there = [("a", "gold"), ("b", "gold"), ("c", "lake")]
    wanted = [f"{source}.{name}" for name, source in there if request_.looks_at(name, source)]
    assert wanted == looked_at


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        (Request("gld"), ["source: there is no 'gld'; did you mean 'gold'?"]),
        (Request(None, ("item", "zz")), [
            "datasets: there is no 'item'; did you mean 'items'?", "datasets: there is no 'zz'",
        ]),
        (Request("gld", ("items",)), [
            "source: there is no 'gld'; did you mean 'gold'?", "datasets: there is no 'items'",
        ]),
    ],
)  # fmt: skip
def test_a_call_that_names_what_is_not_declared_is_refused(registry_file, request_, messages):
    with pytest.raises(InvalidBodyError) as caught:
        check_names(read_registry(registry_file), request_)
    assert [error["message"] for error in caught.value.facts["errors"]] == messages
    check_names(read_registry(registry_file), Request("gold", ("items", "forecasts")))


def test_waiting_for_a_job_ends_with_it_or_with_patience(settings, jobs, builder):
    process, job_id = builder
    refresher, told = Refresher(settings, Store(settings.state), Plugins(settings.plugins)), []
    assert refresher.wait(job_id, 0.05, told.append).status == "running"
    assert {job.status for job in told} == {"running"}
    kill(process)
    assert refresher.wait(job_id, 60).status == "failed"
    assert [job.job_id for job in jobs.history()] == [job_id]


def test_a_job_that_waits_is_not_closed_while_its_builder_waits_too(jobs, settings):
    store = Store(settings.state)
    job, _ = jobs.submit(Request(by="test"))
    late = replace(job, requested_at="2026-01-01T00:00:00.000Z")
    jobs.write(late)
    with store.lock("builders", shared=True):
        assert jobs.job(job.job_id).status == "triggered"
        assert jobs.submit(Request(by="other"))[1] is False
    assert jobs.submit(Request(by="third"))[1] is True
    assert jobs.job(job.job_id).status == "failed"
