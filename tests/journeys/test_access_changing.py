"""Who may read what, when that changes: with the registry, with a key, with the Generation."""

import pytest
from werkzeug.test import Client

from app.access import revoke_key
from app.generation import Store
from app.service import make_front
from tests.conftest import key_headers
from tests.journeys.test_access import HIDDEN, OWN, closed


@pytest.fixture
def client(settings, registry_file, refresh):
    """A client on a second Generation, in which inventory is closed; in the first it was not."""
    assert refresh().status == "succeeded"
    registry_file.write_text(closed(registry_file.read_text()))
    assert refresh().status == "succeeded"
    return Client(make_front(settings))


@pytest.fixture
def stock(settings):
    return key_headers(settings, "stock")


def test_an_older_generation_is_read_by_todays_rules(
    client, settings, registry_file, refresh, stock
):
    pinned = f"{OWN}/rows?generation=1"
    assert client.get(pinned).status_code == 404
    assert client.get(pinned, headers=stock).status_code == 200
    registry_file.write_text(registry_file.read_text().replace("access: stock", "access: public"))
    refresh()
    assert client.get(f"{OWN}/rows?generation=2").status_code == 200


def test_a_cursor_does_not_outlive_the_right_to_read(settings, registry_file, refresh):
    refresh()
    client = Client(make_front(settings))
    following = client.get(f"{OWN}/rows?limit=1").json["next"]
    registry_file.write_text(closed(registry_file.read_text()))
    refresh()
    assert client.get(following).status_code == 404
    assert client.get(following, headers=key_headers(settings, "stock")).status_code == 200


def test_a_key_that_is_revoked_reads_no_more(client, settings, stock):
    assert client.get(f"{OWN}/rows", headers=stock).status_code == 200
    revoke_key(settings.keys_file, stock["X-API-Key"].split("_")[1])
    assert client.get(f"{OWN}/rows", headers=stock).status_code == 401


def test_a_rollback_does_not_open_what_was_closed_since(client, admin, stock):
    back = client.post("/api/v1/data/refresh", headers=admin, json={"generation": 1})
    assert back.status_code == 200
    assert client.get(f"{OWN}/rows").status_code == 404
    assert client.get(f"{OWN}/rows", headers=stock).status_code == 200


def test_a_dataset_that_keeps_its_last_table_does_not_keep_its_access(
    settings, registry_file, refresh, gold
):
    text = registry_file.read_text().replace(
        "path: fact_inventory", "on_failure: keep_last\n    path: fact_inventory"
    )
    registry_file.write_text(text)
    refresh()
    (gold / "fact_inventory.parquet").write_bytes(b"no parquet")
    registry_file.write_text(closed(text))
    assert refresh().status == "succeeded"
    assert Store.at(settings.state).latest().degraded
    assert Client(make_front(settings)).get(f"{OWN}/rows").status_code == 404


def test_what_is_gone_from_the_registry_is_told_to_nobody(
    client, registry_file, refresh, stock, admin
):
    text = registry_file.read_text()
    registry_file.write_text(text[: text.index("  inventory:")])
    refresh()
    pinned = "/api/v1/datasets?generation=2"
    for headers in ({}, stock, admin):
        assert HIDDEN not in client.get(pinned, headers=headers).text


@pytest.mark.parametrize(
    ("items", "forecasts", "fits"),
    [
        ("finance", "public", False),
        ("finance", "read", False),
        ("finance", "finance", True),
        ("public", "finance", True),
    ],
)
def test_an_endpoint_reads_no_dataset_that_its_readers_may_not(
    registry_file, refresh, items, forecasts, fits
):
    text = registry_file.read_text().replace(
        "path: dim_items", f"access: {items}\n    path: dim_items"
    )
    text = text.replace("path: fact_forecast", f"access: {forecasts}\n    path: fact_forecast")
    registry_file.write_text(text)
    job = refresh()
    assert (job.status == "succeeded") is fits
    if not fits:
        (error,) = job.problem["errors"]
        assert error["pointer"] == "/datasets/forecasts/endpoints/timeseries"
        assert "'items' is read with the scope finance, 'forecasts' is not" in error["message"]
