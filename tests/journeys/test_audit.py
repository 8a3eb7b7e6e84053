"""Each attempt to refresh is in the audit, before it is done and after it; else it is not done."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from werkzeug.test import Client

from app.cli import main
from app.generation import Store
from app.refresh import Jobs
from app.service import make_front
from tests.conftest import item_columns
from tests.journeys.conftest import builders, until

URL = "/api/v1/data/refresh"
WAIT = {"Prefer": "wait=30"}


def audit(settings):
    text = (settings.state / "audit.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def news(settings, before):
    """Give the lines that came after the first ``before``."""
    return audit(settings)[before:]


def length(settings):
    path = settings.state / "audit.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


@pytest.fixture
def attempt(settings, client):
    """Calls a refresh, and gives the answer with the lines that it brought."""

    def call(headers=(), **options):
        before = length(settings)
        answer = client.post(URL, headers=dict(headers), **options)
        return answer, news(settings, before)

    return call


def post(url, headers):
    """Give the status that a call is answered with."""
    try:
        with urlopen(Request(url, method="POST", headers=headers), timeout=30) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def test_a_refresh_is_told_before_it_is_done_and_after(attempt, admin):
    answer, (before, after) = attempt(
        {**admin, **WAIT, "X-Request-Id": "r-1"}, json={"force": True}
    )
    key_id = admin["X-API-Key"].split("_")[1]
    assert (before["outcome"], after["outcome"]) == ("accepted", "unchanged")
    assert (before["by"], before["request_id"]) == (key_id, "r-1")
    assert before["asked"] == {"force": True}
    assert before["job_id"] == after["job_id"] == answer.json["job_id"]
    assert after["by"] == [key_id]
    assert after["generation"] == {"from": 1, "to": 1}
    assert len(after["registry"]) == 64
    assert before["time"] <= after["time"]


def test_a_refresh_that_fails_is_told_with_its_reason(attempt, admin, write_table):
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    answer, lines = attempt({**admin, **WAIT})
    assert answer.status_code == 422
    # It was not refused: it was done, and came to nothing.
    assert [(each["outcome"], each.get("problem")) for each in lines] == [
        ("accepted", None),
        ("failed", "table-refused"),
    ]


def bodies():
    """Bodies that are refused, with the kind of refusal."""
    yield "malformed-json", {"data": b"{", "content_type": "application/json"}
    yield "unsupported-media-type", {"data": b"x=1", "content_type": "text/plain"}
    yield "invalid-body", {"json": {"sources": "gold"}}
    yield "invalid-body", {"json": {"source": "nowhere"}}
    yield "body-too-large", {"data": b"x" * 100_000, "content_type": "application/json"}
    yield "generation-gone", {"json": {"generation": 99}}
    yield "invalid-body", {"json": {"datasets": ["nothing"], "dry_run": True}}


@pytest.mark.parametrize(("slug", "body"), [*bodies()])
def test_a_body_that_is_refused_is_told(attempt, admin, slug, body):
    answer, (line,) = attempt(admin, **body)
    assert answer.json["type"].endswith(slug)
    assert (line["outcome"], line["problem"]) == ("refused", slug)
    assert line["by"] == admin["X-API-Key"].split("_")[1]


def test_who_may_not_is_told(attempt, reader):
    told, here = {}, "10.0.0.9"
    for name, headers in {
        "nobody": {},
        "wrong": {"X-API-Key": "wrong"},
        "two": {**reader, "Authorization": "Bearer other"},
        "reader": reader,
        "long": {"X-Long": "x" * 20_000},
    }.items():
        _, lines = attempt(headers, environ_base={"REMOTE_ADDR": here})
        told[name] = [(each["problem"], each["by"], each["address"]) for each in lines]
    assert told == {
        "nobody": [("invalid-credential", None, here)],
        "wrong": [("invalid-credential", None, here)],
        "two": [("conflicting-credentials", None, here)],
        "reader": [("forbidden", reader["X-API-Key"].split("_")[1], here)],
        "long": [("headers-too-large", None, here)],
    }


@pytest.mark.parametrize("path", [f"/{URL}", "/%2f" + URL[1:]])
def test_no_other_spelling_reaches_a_refresh_past_the_audit(attempt, client, admin, path):
    answer = client.post(path, headers=admin, json={"force": True})
    assert (answer.status_code, answer.get_json()["type"]) == (404, "urn:assay:problem:not-found")
    assert client.get("//health").status_code == 404
    assert client.get("//metrics", headers=admin).status_code == 404


def test_who_guesses_is_told_with_the_address_that_the_proxy_saw(settings, client):
    front = Client(make_front(replace(settings, guesses_per_minute=2, trusted_proxies=1)))
    headers = {"X-API-Key": "wrong", "X-Forwarded-For": "6.6.6.6, 10.0.0.9"}
    before = length(settings)
    for _ in range(3):
        front.post(URL, headers=headers)
    lines = news(settings, before)
    assert [each["problem"] for each in lines] == [*["invalid-credential"] * 2, "too-many-requests"]
    assert {each["address"] for each in lines} == {"10.0.0.9"}


def test_a_broken_registry_is_told(attempt, admin, registry_file):
    registry_file.write_text("version: 7")
    _, (line,) = attempt(admin, json={"source": "gold"})
    assert (line["outcome"], line["problem"]) == ("refused", "invalid-registry")
    assert line["asked"] == {"source": "gold"}


def test_a_dry_run_is_told_before_and_after_and_when_it_is_refused(attempt, admin, write_table):
    _, lines = attempt(admin, json={"dry_run": True, "datasets": ["items"]})
    assert [each["outcome"] for each in lines] == ["planning", "planned"]
    assert lines[0]["asked"] == lines[1]["asked"] == {"datasets": ["items"]}
    assert lines[0]["request_id"] == lines[1]["request_id"]
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    _, lines = attempt(admin, json={"dry_run": True})
    assert [each["outcome"] for each in lines] == ["planning", "refused"]


def test_a_rollback_is_told_before_and_after(attempt, admin, write_table, refresh):
    write_table("dim_items", {**item_columns(), "name": ["X", "Y", "Z"]})
    assert refresh().status == "succeeded"
    answer, (before, after) = attempt(admin, json={"generation": 1})
    assert (before["outcome"], after["outcome"]) == ("accepted", "succeeded")
    assert before["asked"] == {"rollback_to": 1}
    assert after["generation"] == {"from": 2, "to": 3} == answer.json["generation"]


def test_other_requests_are_no_attempts(settings, client, admin, reader):
    before = length(settings)
    client.get("/api/v1/items")
    client.get(URL, headers=admin)
    client.get(URL, headers=reader)
    client.put(URL, headers=admin)
    client.post("/api/v1/items", headers={"X-API-Key": "wrong"})
    client.post("/nowhere")
    assert news(settings, before) == []


def test_the_command_line_is_told_too(settings, client, registry_file):
    runner, before = CliRunner(env=settings.environment()), length(settings)
    assert runner.invoke(main, ["refresh"]).exit_code == 0
    assert runner.invoke(main, ["rollback", "99"]).exit_code == 1
    registry_file.write_text("version: 7")
    assert runner.invoke(main, ["refresh"]).exit_code == 1
    lines = news(settings, before)
    assert [each["outcome"] for each in lines] == ["accepted", "unchanged", "refused", "refused"]
    assert [each["by"] for each in lines] == [
        "command line", ["command line"], "command line", "command line",
    ]  # fmt: skip


def test_calls_that_join_a_job_are_told_each(settings, client, admin):
    before = length(settings)
    with Store.at(settings.state).lock("build"):
        jobs = {client.post(URL, headers=admin).json["job_id"] for _ in range(5)}
    (job,) = jobs
    until(lambda: Jobs(Store.at(settings.state)).job(job).finished)
    lines = news(settings, before)
    assert [each["outcome"] for each in lines] == [*["accepted"] * 5, "unchanged"]
    assert {each["job_id"] for each in lines} == jobs


def test_a_builder_that_is_killed_is_told(settings, client, admin):
    before = length(settings)
    with Store.at(settings.state).lock("build"):
        job = client.post(URL, headers=admin).json["job_id"]
        (builder,) = until(lambda: builders(settings))
        assert [each["outcome"] for each in news(settings, before)] == ["accepted"]
        builder.kill()
        until(lambda: Jobs(Store.at(settings.state)).job(job).finished)
    _, last = news(settings, before)
    assert (last["outcome"], last["job_id"], last["problem"]) == (
        "interrupted", job, "refresh-failed",
    )  # fmt: skip


def test_what_cannot_be_audited_is_not_done(settings, client, admin, write_table):
    write_table("dim_items", {**item_columns(), "name": ["X", "Y", "Z"]})
    path = settings.state / "audit.jsonl"
    path.rename(settings.state / "rotated")
    path.mkdir()
    for body in ({}, {"dry_run": True}, {"generation": 1}):
        answer = client.post(URL, headers={**admin, **WAIT}, json=body)
        assert (answer.status_code, answer.json["type"][18:]) == (503, "state-unusable")
    assert len(Jobs(Store.at(settings.state)).history()) == 1
    assert client.get("/api/v1/items").json["items"][0]["name"] == "Antenna"
    path.rmdir()
    assert client.post(URL, headers={**admin, **WAIT}).json["status"] == "succeeded"


@pytest.mark.usefixtures("registry_file")
def test_every_call_that_was_answered_is_in_it_however_many_came(server, settings, admin):
    url = server(workers=2).url
    before = length(settings)

    def call(number):
        headers = dict(admin) if number % 2 else {}
        return post(url + URL, {**headers, "X-Request-Id": f"call-{number}"})

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(call, range(40)))
    assert sorted(set(statuses)) == [202, 401]
    until(lambda: all(job.finished for job in Jobs(Store.at(settings.state)).history()))
    lines = news(settings, before)
    told = {each["request_id"]: each["outcome"] for each in lines if "request_id" in each}
    assert told == {
        f"call-{number}": "accepted" if number % 2 else "refused" for number in range(40)
    }
    jobs = {each["job_id"] for each in lines if each["outcome"] == "accepted"}
    ended = [each["job_id"] for each in lines if each["outcome"] == "unchanged"]
    assert sorted(ended) == sorted(jobs)
