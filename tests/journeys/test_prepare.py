"""What datasets.yaml has prepared: told in ``Server-Timing``, and never seen in an answer."""

import re

import pytest

SUMMARY = "/api/v1/forecasts/summary?start=2026-01-02&end=2026-01-05"
FORECASTS = "/api/v1/datasets/forecasts"
PREPARE = """
    prepare:
      orders: [[source, -forecast], [-date]]
      rollups:
        - by: [date]
          measures:
            - sum:forecast
            - sum:actual
            - mape:forecast:actual
            - wape:forecast:actual
            - bias:forecast:actual
            - count_distinct:item_id
            - count
"""
READ = {
    SUMMARY: "rollup_0",
    f"{SUMMARY}&window=week": "rollup_0",
    f"{SUMMARY}&item_ids=A": "data",
    f"{FORECASTS}/aggregate?measures=count,sum:forecast&window=month": "rollup_0",
    f"{FORECASTS}/aggregate?measures=count,avg:forecast": "data",
    f"{FORECASTS}/rows?source=seasonal&sort=-forecast&limit=3": "order_0",
    f"{FORECASTS}/rows?sort=date,-item_id&limit=3": "order_1",
    f"{FORECASTS}/rows?sort=date,-forecast&limit=3": "data",
    f"{FORECASTS}/rows?sort=-date,item_id&limit=3": "order_1",
    f"{FORECASTS}/rows?limit=3": "keys",
    f"{FORECASTS}/rows?source=seasonal&limit=3": "keys",
    f"{FORECASTS}/rows?date=2026-01-02&limit=3": "order_1",
    f"{FORECASTS}/rows?date=2026-01-02&forecast__gte=0&sort=-date&limit=3": "order_1",
}


def told(answer):
    """Give what an answer says of its time: the parts, and what the engine has read."""
    header = answer.headers["Server-Timing"]
    parts = re.findall(r'([a-z]+)(?:;desc="([a-z0-9_ ]+)")?;dur=([0-9.]+)', header)
    assert all(float(milliseconds) >= 0 for _, _, milliseconds in parts)
    return {part: read for part, read, _ in parts}


@pytest.fixture(scope="module")
def prepared(dashboard, dashboard_settings, dashboard_admin):
    """The answers of a Generation without anything prepared; then it is refreshed with it."""
    plain = {address: dashboard.get(address).json for address in READ}
    text = dashboard_settings.registry.read_text()
    place = "    endpoints:\n      timeseries"
    assert place in text
    dashboard_settings.registry.write_text(
        text.replace(place, f"{PREPARE.strip(chr(10))}\n{place}")
    )
    headers = {**dashboard_admin, "Prefer": "wait=30"}
    answer = dashboard.post("/api/v1/data/refresh", headers=headers)
    assert answer.json["generation"] == {"from": 1, "to": 2}
    return plain


@pytest.mark.parametrize("address", READ)
def test_an_answer_is_the_same_and_says_what_was_read(prepared, dashboard, address):
    answer = dashboard.get(address)
    timing = told(answer)
    assert timing["engine"].split()[0] == READ[address]
    assert set(timing) == {"plan", "engine", "encode"}
    # A cursor belongs to its Generation.
    before, after = (
        {**each, "next": bool(each.get("next"))} for each in (prepared[address], answer.json)
    )
    assert after == {**before, "metadata": {**before["metadata"], "generation": 2}}
    assert dashboard.get(address).headers["Server-Timing"] == "kept"


def test_an_export_says_what_it_cost_once(prepared, dashboard):
    address = f"{FORECASTS}/rows.csv"
    assert list(told(dashboard.get(address))) == ["export"]
    assert dashboard.get(address).headers["Server-Timing"] == "kept"


def test_what_is_left_out_is_told_by_the_refresh(registry_file, refresh, client, admin):
    text = registry_file.read_text()
    lonely = "    prepare: {rollups: [{by: [item_id, date], measures: [count]}]}\n"
    place = "    endpoints:\n      timeseries"
    registry_file.write_text(text.replace(place, f"{lonely}{place}"))
    answer = client.post("/api/v1/data/refresh", headers={**admin, "Prefer": "wait=30"})
    (forecasts,) = [each for each in answer.json["datasets"] if each["name"] == "forecasts"]
    (problem,) = forecasts["problems"]
    assert (problem["rule"], problem["severity"]) == ("prepare", "warning")
    assert "rollup_0 is left out: it would have" in problem["message"]
    assert client.get(SUMMARY).status_code == 200
