"""Figures of the refresh for Prometheus."""

import time

from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from app.service import make_front
from tests.conftest import item_columns


def figures(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_nothing_is_known_before_the_first_refresh(settings):
    assert figures(Client(make_front(settings))) == {}


def test_the_last_success_and_the_last_failure_are_told(client, refresh, write_table):
    first = figures(client)
    assert first["assay_generation"] == 1
    assert abs(first["assay_refresh_last_success_timestamp_seconds"] - time.time()) < 60
    assert 0 <= first["assay_generation_age_seconds"] < 60
    assert "assay_refresh_last_failure_timestamp_seconds" not in first
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    assert refresh().status == "failed"
    second = figures(client)
    assert (
        second["assay_refresh_last_failure_timestamp_seconds"]
        >= (first["assay_refresh_last_success_timestamp_seconds"])
    )
    assert second["assay_generation"] == 1
