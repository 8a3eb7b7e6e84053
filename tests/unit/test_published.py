"""A producer's manifest is the list of files, and what it says of each must hold."""

import hashlib
import json
import random

import pytest

from tests.conftest import forecast_columns

MANIFEST = "    manifest: forecasts.json\n    path: fact_forecast.parquet"


@pytest.fixture
def publish(gold, registry_file):
    """Declares forecasts by a manifest, and writes it for the files of ``gold`` as they are."""
    text = registry_file.read_text()
    registry_file.write_text(text.replace("    path: fact_forecast.parquet", MANIFEST))

    def write(rows=20, **changes):
        content = (gold / "fact_forecast.parquet").read_bytes()
        file = {
            "path": "fact_forecast.parquet",
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": rows,
            **changes,
        }
        (gold / "forecasts.json").write_text(json.dumps({"files": [file]}))

    write()
    return write


def test_files_that_are_as_published_are_served(publish, refresh):
    assert refresh().status == "succeeded"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": "0" * 64}, "another sha256"),
        ({"rows": 21}, "the manifest speaks of 21 rows; the files hold 20"),
        ({"path": "gone.parquet"}, "no file"),
        ({"path": "../gold/fact_forecast.parquet"}, "'..'"),
        ({"sha256": "beef"}, "does not have the form"),
        ({"rows": -1}, "does not have the form"),
    ],
)
def test_a_file_that_is_not_as_published_refuses_the_refresh(publish, refresh, changes, told):
    publish(**changes)
    job = refresh()
    assert job.status == "failed"
    assert told in job.problem["detail"]


@pytest.mark.parametrize("content", ["", "[]", '{"files": []}', '{"files": [{"path": 7}]}', "{"])
def test_a_manifest_of_another_form_refuses_the_refresh(publish, refresh, gold, content):
    (gold / "forecasts.json").write_text(content)
    job = refresh()
    assert job.problem["type"] == "source-refused"
    assert "manifest" in job.problem["detail"]


def test_a_missing_manifest_refuses_the_refresh(publish, refresh, gold):
    (gold / "forecasts.json").unlink()
    assert "is not readable" in refresh().problem["detail"]


def test_new_files_are_served_when_their_manifest_comes(publish, refresh, write_table):
    refresh()
    write_table("fact_forecast", forecast_columns("v2"))
    assert refresh().status == "failed"
    publish()
    assert refresh().status == "succeeded"


@pytest.mark.parametrize("seed", range(20))
def test_a_randomly_damaged_file_is_refused(publish, refresh, gold, seed):
    path = gold / "fact_forecast.parquet"
    content = bytearray(path.read_bytes())
    draw = random.Random(seed)
    place = draw.randrange(len(content))
    content[place] ^= draw.randrange(1, 256)
    path.write_bytes(content)
    assert refresh().problem["type"] == "source-refused"
