"""The endpoint ``lineage``, called without HTTP on real Tables."""

from datetime import date, datetime

import pytest

from app.dataset import Constant, Lineage
from app.discovery import Plugins
from app.plugin import Call
from tests.conftest import ROOT

MADE = [datetime(2026, 1, day, 3) for day in (2, 3, 1)]  # noqa: DTZ001 - naive on purpose
ROWS = {
    "k": [1, 2, 3],
    "day": [date(2026, 2, day) for day in (1, 2, 3)],
    "version": ["v2", "v2", "v1"],
    "made": MADE,
}


@pytest.fixture
def lineage(bench):
    """Asks ``lineage`` of columns, with the history that is given; gives the body and the Call."""

    def asked(*rows, history=lambda _: (), **fields):
        dataset, table = bench.load(*rows, dataset=bench.dataset(**fields))
        offers, _ = Plugins(ROOT / "plugins").offers({dataset.name: dataset})
        (offer,) = (each for each in offers if each.endpoint.name == "lineage")
        call = Call(dataset, {}, {}, None, table=table, history=lambda: history(table))
        return offer.endpoint.answer(call), call

    return asked


def test_each_version_has_its_rows_and_spans_oldest_first(lineage):
    parts = Lineage(Constant("run-1"), "version", "made")
    body, call = lineage(ROWS, lineage=parts, time="day")
    assert [(each["model_version"], each["rows"]) for each in body["versions"]] == [
        ("v1", 1),
        ("v2", 2),
    ]
    assert body["versions"][1] == {
        "dataset_id": "run-1",
        "model_version": "v2",
        "rows": 2,
        "first_generated_at": "2026-01-02T03:00:00Z",
        "last_generated_at": "2026-01-03T03:00:00Z",
        "from": "2026-02-01",
        "until": "2026-02-02",
    }
    assert (call.stamp.model_version, call.stamp.model_versions) == ("v2", ("v1", "v2"))


def test_without_a_time_there_is_no_span_of_it(lineage):
    (version,) = lineage({"k": [1]})[0]["versions"]
    assert (version["from"], version["until"], version["model_version"]) == (None, None, "none")


def test_every_file_is_named_with_its_hash(lineage):
    told = lineage({"k": [1]}, {"k": [2]})[0]["files"]
    assert [each["path"] for each in told] == ["0000.parquet", "0001.parquet"]
    assert all(each.keys() == {"path", "sha256", "bytes"} for each in told)


def test_history_tells_what_each_kept_generation_held(lineage):
    def history(table):
        return [{"generation": 7, "committed_at": MADE[0], "table": table}]

    (kept,) = lineage({"k": [1, 2]}, history=history)[0]["history"]
    versions = [{"dataset_id": "run-1", "model_version": "none", "rows": 2}]
    assert kept == {"generation": 7, "committed_at": MADE[0], "rows": 2, "versions": versions}
