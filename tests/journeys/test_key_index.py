"""Answers from a key index over HTTP: byte for byte those of the engine, and free of its queue."""

from dataclasses import replace

import pytest
from werkzeug.test import Client

from app.access import Admission, Keyring
from app.answers import Addresses
from app.generation import Store
from app.refresh import Jobs, Request, build_waiting
from app.service import Worker
from app.service.front import Front
from app.service.manners import Manners

ITEM = "/api/v1/items/A/timeseries?start=2026-01-02&end=2026-01-05"
ROWS = "/api/v1/datasets/forecasts/rows?"
BY_KEY = [
    ITEM,
    ITEM.replace("/A/", "/B%2F1/"),
    ITEM.replace("2026", "2027"),
    "/api/v1/inventory/A",
    "/api/v1/inventory/A?date=2026-01-02",
    "/api/v1/datasets/forecasts/record?item_id=A&date=2026-01-03",
    f"{ROWS}item_id=A",
    f"{ROWS}limit=3",
    f"{ROWS}item_id=A&date__gt=2026-01-02&select=forecast,model_version&limit=2",
    f"{ROWS}sort=-item_id,-date&limit=5",
    f"{ROWS}item_id=A&forecast__gt=1&date__ne=2026-01-02&limit=2",
    f"{ROWS}item_id__in=A,C&forecast__isnull=false&sort=-item_id,-date",
]
EXPORT = ROWS.replace("rows?", "rows.{}?{}")
EXPORTED = [
    EXPORT.format(form, asked)
    for form in ("json", "ndjson", "csv", "parquet", "arrow", "arrows")
    for asked in (
        "",
        "limit=5",
        "item_id=A",
        "item_id__gte=A&item_id__lt=C&select=date,forecast",
        "sort=item_id,date&limit=7",
        "item_id=A&sort=-date",
    )
]


@pytest.fixture
def serve(settings, registry_file, tmp_path):
    """A worker of the same tables with indexes of so many bytes at most, and its client."""

    def make(index_bytes):
        state = tmp_path / f"state-{index_bytes}"
        served = replace(
            settings, index_bytes=index_bytes, state=state, queries_running=1, queries_waiting=0
        )
        Jobs(Store.at(state)).submit(Request(by="test"))
        # Both seal their cursors alike.
        (state / "etag.key").write_bytes(bytes(32))
        assert build_waiting(served).status == "succeeded"
        worker = Worker(served)
        entrance = (Admission(Keyring(served.keys_file), served), Manners(""))
        answers = (worker.keeper, Addresses(0))
        return worker, Client(Front(worker, entrance, answers))

    return make


def test_an_answer_is_the_same_with_an_index_and_without(serve):
    (_, client), (_, plain) = serve(1 << 20), serve(0)
    for address in BY_KEY:
        assert client.get(address).data == plain.get(address).data, address
        assert client.get(address).status_code == 200, address


def test_an_export_is_the_same_with_an_index_and_without(serve):
    (_, client), (_, plain) = serve(1 << 20), serve(0)
    for address in EXPORTED:
        given, made = client.get(address), plain.get(address)
        assert (given.status_code, made.status_code) == (200, 200), address
        assert told_apart(given) == told_apart(made), address


def told_apart(response):
    """What is told of an Export and in it, without when the Generation was made."""
    shown = {"Content-Type", "X-Dataset-Id", "X-Model-Version", "X-Generation"}
    return {name: value for name, value in response.headers if name in shown}, response.data


def test_reads_by_key_wait_for_no_question_to_the_engine(serve):
    worker, client = serve(1 << 20)
    with worker.current.pin().turns.questions.turn():
        assert {client.get(address).status_code for address in BY_KEY} == {200}
        assert client.get(EXPORT.format("csv", "item_id=A")).status_code == 200
        assert client.get(f"{ROWS}sort=forecast").status_code == 503


def test_questions_of_one_key_have_turns_of_their_own(serve, monkeypatch):
    worker, client = serve(0)
    turns, of_one = worker.current.pin().turns, f"{ROWS}item_id=A&sort=forecast"
    with turns.questions.turn():
        assert client.get(of_one).status_code == 200
        assert client.get(f"{ROWS}item_id__gte=A&sort=forecast").status_code == 503
        monkeypatch.setattr("app.generation.generation._MOST_SMALL", 1)
        assert client.get(f"{of_one}&limit=1").status_code == 503
    monkeypatch.undo()
    with turns.small.turn():
        assert client.get(f"{ROWS}sort=forecast").status_code == 200
        # Where theirs is full they go to that of all others.
        assert client.get(f"{of_one}&limit=2").status_code == 200
        with turns.questions.turn():
            assert client.get(f"{of_one}&limit=3").status_code == 503


def test_pages_by_an_index_go_on_where_they_ended(serve):
    _, client = serve(1 << 20)
    pages, address = [], f"{ROWS}limit=7"
    while address is not None:
        pages.append(client.get(address).json)
        address = pages[-1]["next"]
    seen = [(row["item_id"], row["date"]) for page in pages for row in page["data"]]
    assert (len(seen), seen) == (20, sorted(set(seen)))
