"""Tables that are not ours: TPC-H at scale 0.1, declared, refreshed and catalogued."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from app.service import make_front

TABLES = {
    "region": (["r_regionkey"], 5),
    "nation": (["n_nationkey"], 25),
    "supplier": (["s_suppkey"], 1_000),
    "customer": (["c_custkey"], 15_000),
    "part": (["p_partkey"], 20_000),
    "partsupp": (["ps_partkey", "ps_suppkey"], 80_000),
    "orders": (["o_orderkey"], 150_000),
    "lineitem": (["l_orderkey", "l_linenumber"], 600_572),
}
TIMES = {"orders": "o_orderdate", "lineitem": "l_shipdate"}


@pytest.fixture
def tpch(gold, settings):
    """The eight tables as Parquet, and a registry of them."""
    maker = Path(sys.executable).parent / "tpchgen-cli"
    subprocess.run(
        [maker, "parquet", "--scale-factor=0.1", f"--output-dir={gold}"],
        check=True,
        capture_output=True,
        timeout=100,
    )
    lineage = {
        "dataset_id": {"value": "tpch-0.1"},
        "model_version": {"value": "none"},
        "generated_at": {"value": "2026-01-01T00:00:00Z"},
    }
    datasets = {
        name: {
            "source": "gold",
            "path": f"{name}.parquet",
            "keys": keys,
            "lineage": lineage,
            **({"time": TIMES[name]} if name in TIMES else {}),
        }
        for name, (keys, _) in TABLES.items()
    }
    registry = {"version": 1, "sources": {"gold": {"location": "gold"}}, "datasets": datasets}
    # Without aliases: the registry has none.
    plain = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    settings.registry.write_text(yaml.dump(registry, Dumper=plain))


@pytest.mark.slow
@pytest.mark.usefixtures("tpch")
def test_eight_tables_are_declared_refreshed_and_catalogued(settings, refresh):
    job = refresh()
    assert job.status == "succeeded", job.problem
    client = Client(make_front(settings))
    listed = client.get("/api/v1/datasets").json["datasets"]
    assert {each["name"]: (each["keys"], each["rows"]) for each in listed} == TABLES
    assert {each["metadata"]["dataset_id"] for each in listed} == {"tpch-0.1"}
    detail = client.get("/api/v1/datasets/lineitem").json
    columns = {each["name"]: each for each in detail["columns"]}
    assert len(columns) == 16
    assert columns["l_quantity"]["type"] == "decimal"
    assert columns["l_shipdate"]["type"] == "date"
    assert columns["l_shipdate"]["min"] < columns["l_shipdate"]["max"] == "1998-12-01"
    assert columns["l_orderkey"]["nulls"] == 0
    assert detail["files"][0]["path"] == "lineitem.parquet"
    assert refresh().status == "unchanged"
