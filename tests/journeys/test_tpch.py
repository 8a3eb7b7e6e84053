"""Tables that are not ours: TPC-H at scale 0.1, declared, refreshed and asked."""

import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
    lines = plain_text(pq.read_table(settings.registry.parent / "gold" / "lineitem.parquet"))
    for ask in (first_query, dearest_lines, one_line, all_lines_of_an_order):
        ask(client, lines)


def plain_text(table):
    """Give the table with its views of texts as texts, which more can be done with."""
    fields = [
        pa.field(each.name, pa.string() if each.type == pa.string_view() else each.type)
        for each in table.schema
    ]
    return table.cast(pa.schema(fields))


def first_query(client, lines):
    """The pricing summary: exact sums of decimals by two groups, up to a day."""
    answer = client.get(
        "/api/v1/datasets/lineitem/aggregate?l_shipdate__lte=1998-09-02"
        "&group_by=l_returnflag,l_linestatus"
        "&measures=sum:l_quantity,sum:l_extendedprice,avg:l_discount,count"
    )
    shipped = lines.filter(pc.field("l_shipdate") <= date(1998, 9, 2))
    sums = defaultdict(lambda: [Decimal(0), Decimal(0), Decimal(0), 0])
    names = ["l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount"]
    for flag, status, *numbers in zip(*(shipped[name].to_pylist() for name in names), strict=True):
        group = sums[flag, status]
        group[:] = [*(a + b for a, b in zip(group, numbers, strict=False)), group[3] + 1]
    assert [(r["l_returnflag"], r["l_linestatus"]) for r in answer.json["data"]] == sorted(sums)
    for row in answer.json["data"]:
        quantity, price, discount, count = sums[row["l_returnflag"], row["l_linestatus"]]
        assert (row["sum_l_quantity"], row["sum_l_extendedprice"]) == (f"{quantity}", f"{price}")
        assert row["count"] == count
        assert row["avg_l_discount"] == pytest.approx(float(discount / count))


def dearest_lines(client, lines):
    """The dearest lines: a sort that falls, page by page, by a composite key in the end."""
    select = "l_orderkey,l_linenumber,l_extendedprice"
    address = f"/api/v1/datasets/lineitem/rows?sort=-l_extendedprice&limit=40&select={select}"
    seen = []
    for _ in range(3):
        page = client.get(address).json
        address = page["next"]
        seen += [tuple(row.values()) for row in page["data"]]
    order = [("l_extendedprice", "descending"), ("l_orderkey", "ascending")]
    places = pc.sort_indices(lines, sort_keys=[*order, ("l_linenumber", "ascending")])[:120]
    names = ["l_orderkey", "l_linenumber", "l_extendedprice"]
    dearest = lines.select(names).take(places).to_pylist()
    assert seen == [(r[names[0]], r[names[1]], str(r[names[2]])) for r in dearest]


def one_line(client, lines):
    """A record by its composite key."""
    row = lines.slice(12_345, 1).to_pylist()[0]
    keys = f"l_orderkey={row['l_orderkey']}&l_linenumber={row['l_linenumber']}"
    found = client.get(f"/api/v1/datasets/lineitem/record?{keys}").json["data"]
    shown = {k: str(v) if isinstance(v, Decimal | date) else v for k, v in row.items()}
    assert found == shown


def all_lines_of_an_order(client, lines):
    """An export of what a filter leaves."""
    order = lines["l_orderkey"][777].as_py()
    text = client.get(f"/api/v1/datasets/lineitem/rows.csv?l_orderkey={order}").text
    assert len(text.splitlines()) - 1 == pc.sum(pc.equal(lines["l_orderkey"], order)).as_py()
