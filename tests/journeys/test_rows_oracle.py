"""Any question to a table of every type gives exactly the rows that plain Python gives."""

import base64
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cmp_to_key
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from app.query import TYPES
from app.service import make_front
from tests.journeys.conftest import refreshed, settings_in

REGISTRY = """\
version: 1
sources:
  gold: {location: gold}
datasets:
  odd:
    source: gold
    path: odd.parquet
    keys: [k, "select"]
    lineage:
      dataset_id: {value: run}
      model_version: {value: none}
      generated_at: {value: 2026-01-01T00:00:00Z}
"""
COUNT = 24


def with_nulls(values):
    several = (values * COUNT)[:COUNT]
    return [None if place % 5 == 3 else value for place, value in enumerate(several)]


# Each column: its name, the type it has here, its Arrow type, its values.
COLUMNS = [
    ("k", "integer", pa.int64(), [place // 3 for place in range(COUNT)]),
    ("select", "string", pa.string(), [f"s{place % 3}" for place in range(COUNT)]),
    ("a b", "integer", pa.int64(), with_nulls([0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)])),
    ("limit", "integer", pa.uint64(), with_nulls([0, 2**64 - 1, 2**63, 7])),
    (
        'say "x"',
        "number",
        pa.float64(),
        with_nulls([0.0, -0.0, 0.1, 1e300, -1e-300, math.nan, math.inf, -math.inf]),
    ),
    ("half", "number", pa.float32(), with_nulls([0.5, 0.25, -8.0, math.nan])),
    (
        "line\nbreak",
        "string",
        pa.string(),
        with_nulls(["", "a", "A", "it's", "1%", "_", "a,b", "\u2028", "🐍", "\x00", "é", "É"]),
    ),
    ("a__b", "decimal", pa.decimal128(38, 10), with_nulls(
        [Decimal("0.1000000000"), Decimal("-0.0000000001"), Decimal(10) ** 27, Decimal(5)]
    )),
    ("count", "boolean", pa.bool_(), with_nulls([True, False])),
    ("cursor", "date", pa.date32(), with_nulls([date.min, date.max, date(2026, 2, 28)])),
    ("sort", "time", pa.time64("us"), with_nulls([time(0), time(23, 59, 59, 7), time(12)])),
    (
        "at",
        "timestamp",
        pa.timestamp("us", "UTC"),
        with_nulls(
            [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
             datetime(2026, 1, 1, 12, 0, 0, 1, UTC)]
        ),
    ),
    ("nano", "nano", pa.timestamp("ns"), with_nulls([0, 1, 1_700_000_000_123_456_789, -1])),
    ("raw", "binary", pa.binary(), with_nulls([b"", b"\xff\x00", b"a,b"])),
]  # fmt: skip
KIND = {name: kind for name, kind, _, _ in COLUMNS}
ROWS = [
    dict(zip(KIND, row, strict=True))
    for row in zip(*(values for _, _, _, values in COLUMNS), strict=True)
]
RESERVED = {"select", "limit", "count", "cursor", "sort", "generation", "bigint"}
OPERATORS = {name: TYPES["timestamp" if k == "nano" else k].operators for name, k in KIND.items()}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of a service with the one table, which no test changes."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "gold").mkdir()
    (folder / "datasets.yaml").write_text(REGISTRY)
    table = pa.table({name: pa.array(values, kind) for name, _, kind, values in COLUMNS})
    pa.parquet.write_table(table, folder / "gold" / "odd.parquet")
    settings = settings_in(folder)
    refreshed(settings)
    return Client(make_front(settings))


def missing(cell):
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def text(value, kind):
    """Write a value as an address would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if kind == "nano":
        whole, rest = divmod(value, 10**9)
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole)
        return f"{shown:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


HOLDS = {
    "eq": lambda cell, value: cell == value,
    "ne": lambda cell, value: cell != value,
    "in": lambda cell, value: cell in value,
    "not_in": lambda cell, value: cell not in value,
    "gt": lambda cell, value: cell > value,
    "gte": lambda cell, value: cell >= value,
    "lt": lambda cell, value: cell < value,
    "lte": lambda cell, value: cell <= value,
    "contains": lambda cell, value: value in cell,
    "icontains": lambda cell, value: value.lower() in cell.lower(),
    "startswith": lambda cell, value: cell.startswith(value),
}


def holds(row, condition):
    name, operator, value = condition
    cell = row[name]
    if operator == "isnull":
        return missing(cell) is value
    if missing(cell):
        return operator in {"ne", "not_in"}
    return HOLDS[operator](cell, value)


def values_of(name):
    known = [row[name] for row in ROWS if not missing(row[name])]
    told = [value for value in known if not (isinstance(value, float) and math.isinf(value))]
    others = {
        "integer": st.integers(-(2**70), 2**70),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "string": st.text(max_size=3),
        "decimal": st.decimals(-(10**29), 10**29, places=8) | st.decimals(-2, 2, places=30),
        "date": st.dates(),
        "time": st.times(),
        "timestamp": st.datetimes(timezones=st.just(UTC)),
        "binary": st.binary(max_size=3),
        "nano": st.integers(-(2**62), 2**62),
        "boolean": st.booleans(),
    }[KIND[name]]
    return st.sampled_from(told) | others


@st.composite
def conditions(draw):
    name = draw(st.sampled_from(list(KIND)))
    operator = draw(st.sampled_from(OPERATORS[name]))
    if operator == "isnull":
        return name, operator, draw(st.booleans())
    if operator in {"in", "not_in"}:
        return name, operator, draw(st.lists(values_of(name), min_size=1, max_size=3))
    return name, operator, draw(values_of(name))


def as_pairs(condition, *, short):
    name, operator, value = condition
    kind = KIND[name]
    if operator == "eq" and short and name not in RESERVED:
        return [(name, text(value, kind))]
    if operator in {"in", "not_in"}:
        # Given twice nothing is split, so a value may hold a comma.
        several = value if len(value) > 1 else value * 2
        return [(f"{name}__{operator}", text(each, kind)) for each in several]
    return [(f"{name}__{operator}", text(value, kind))]


def order(sorts):
    def compare(left, right):
        for name, falling in [*sorts, ("k", False), ("select", False)]:
            one, other = left[name], right[name]
            if missing(one) or missing(other):
                if missing(one) != missing(other):
                    return 1 if missing(one) else -1
            elif one != other:
                return (-1 if one < other else 1) * (-1 if falling else 1)
        return 0

    return cmp_to_key(compare)


def pages(client, address):
    """Give the keys of all rows, page after page, and how many pages there were."""
    seen, count = [], 0
    while address is not None:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        seen += [(row["k"], row["select"]) for row in answer.json["data"]]
        address, count = answer.json["next"], count + 1
    return seen, count


@pytest.fixture
def cases(request):
    """How many questions are asked: more in a soak."""
    return 5_000 if request.config.getoption("--soak") else 500


@pytest.mark.timeout(1800)
def test_any_filter_any_sort_and_any_page_give_exactly_their_rows(client, cases):
    sorts = st.lists(st.tuples(st.sampled_from(list(KIND)), st.booleans()), max_size=3)
    unique = sorts.map(lambda drawn: list(dict(drawn).items()))

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(conditions(), max_size=3), unique, st.integers(1, 30), st.booleans())
    def ask(asked, sorted_by, limit, short):
        asked = list(
            {(name, operator): (name, operator, v) for name, operator, v in asked}.values()
        )
        if short:
            # One parameter cannot be given twice, in its short form or not.
            asked = [each for place, each in enumerate(asked) if each[1] != "eq" or place == 0]
        pairs = [pair for each in asked for pair in as_pairs(each, short=short)]
        names = [f"{'-' if falling else ''}{name}" for name, falling in sorted_by]
        pairs += [("sort", name) for name in names]
        fitting = [row for row in ROWS if all(holds(row, each) for each in asked)]
        fitting.sort(key=order(sorted_by))
        query = urlencode([*pairs, ("limit", limit)])
        found, count = pages(client, f"/api/v1/datasets/odd/rows?{query}")
        assert found == [(row["k"], row["select"]) for row in fitting]
        assert count == max(1, -(-len(fitting) // limit))

    ask()


def test_every_row_is_found_by_each_of_its_own_values(client):
    for name, kind in KIND.items():
        for row in ROWS:
            cell = row[name]
            if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
                continue
            query = urlencode([(f"{name}__eq", text(cell, kind)), ("limit", COUNT)])
            found, _ = pages(client, f"/api/v1/datasets/odd/rows?{query}")
            assert found == [(r["k"], r["select"]) for r in ROWS if r[name] == cell], (name, cell)
