"""Random questions to a small Table with odd names give what plain Python gives."""

from datetime import date
from decimal import Decimal
from math import isnan, nan

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.query import TYPES, AnyOf, Measure, Query, Where, compile_query

COLUMNS = {
    "k": list(range(12)),
    "a b": [1, 2, None, -3, 2**62, 2, 0, None, -1, 5, 2, 7],
    'say "x"': [0.5, nan, None, -1.25, 1e300, nan, 0.0, -0.0, 2.0, None, 0.1, 3.0],
    "line\nbreak": ["a", "A", "", None, "it's", "%", "_", '"', "\n", "aa", "ab", "\\"],
    "select": [True, False, None, True, True, None, False, False, True, None, True, False],
    "limit": [None if day % 5 == 0 else date(2026, 1, day) for day in range(1, 13)],
    "a__b": [None if n == 4 else Decimal(n) / 4 for n in range(-6, 6)],
}
TYPES_OF = {
    "k": "integer",
    "a b": "integer",
    'say "x"': "number",
    "line\nbreak": "string",
    "select": "boolean",
    "limit": "date",
    "a__b": "decimal",
}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
LETTERS = st.text("aA\"'%_\n\\; ?", max_size=3)
OTHERS = {
    "integer": st.integers(-(2**126), 2**126) | st.integers(-5, 5),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "string": LETTERS,
    "boolean": st.booleans(),
    "date": st.dates(),
    "decimal": st.decimals(-(10**40), 10**40, places=6) | st.decimals(-2, 2, places=2),
}


def missing(cell):
    return cell is None or (isinstance(cell, float) and isnan(cell))


HOLDS = {
    "eq": lambda cell, value: not missing(cell) and cell == value,
    "ne": lambda cell, value: missing(cell) or cell != value,
    "in": lambda cell, value: not missing(cell) and cell in value,
    "not_in": lambda cell, value: missing(cell) or cell not in value,
    "gt": lambda cell, value: not missing(cell) and cell > value,
    "gte": lambda cell, value: not missing(cell) and cell >= value,
    "lt": lambda cell, value: not missing(cell) and cell < value,
    "lte": lambda cell, value: not missing(cell) and cell <= value,
    "contains": lambda cell, value: not missing(cell) and value in cell,
    "icontains": lambda cell, value: not missing(cell) and value.lower() in cell.lower(),
    "startswith": lambda cell, value: not missing(cell) and cell.startswith(value),
    "isnull": lambda cell, value: missing(cell) is value,
}


def holds(row, where):
    if isinstance(where, AnyOf):
        return any(holds(row, each) for each in where.conditions)
    return HOLDS[where.operator](row[where.column], where.value)


def fitting(conditions):
    return [row for row in ROWS if all(holds(row, each) for each in conditions)]


@st.composite
def conditions(draw):
    column = draw(st.sampled_from(list(COLUMNS)))
    kind = TYPES_OF[column]
    operator = draw(st.sampled_from(TYPES[kind].operators))
    cells = [cell for cell in COLUMNS[column] if not missing(cell)]
    value = OTHERS[kind] | st.sampled_from(cells)
    if operator == "isnull":
        value = st.booleans()
    elif operator in {"in", "not_in"}:
        value = st.lists(value, max_size=4)
    return Where(column, operator, draw(value))


ANY_OF = st.lists(conditions(), max_size=3).map(lambda each: AnyOf(tuple(each)))
WHERE = st.lists(conditions() | ANY_OF, max_size=4)
SORT = st.lists(st.sampled_from([f"{sign}{name}" for sign in ("", "-") for name in COLUMNS]))


@pytest.fixture(scope="module")
def run(bench_at, tmp_path_factory):
    bench = bench_at(tmp_path_factory.mktemp("oracle"))
    money = pa.array(COLUMNS["a__b"], pa.decimal128(6, 2))
    loaded = bench.load({**COLUMNS, "a__b": money})
    engine = bench.engine(loaded)
    return lambda **question: engine.run(compile_query(Query(loaded[0], **question)))


def arranged(rows, sort):
    for each in reversed(sort):
        name, descending = each.removeprefix("-"), each.startswith("-")
        known = [row for row in rows if not missing(row[name])]
        known.sort(key=lambda row: row[name], reverse=descending)
        rows = known + [row for row in rows if missing(row[name])]
    return rows


@settings(max_examples=500, deadline=None)
@given(where=WHERE, sort=SORT, page=st.tuples(st.none() | st.integers(0, 14), st.integers(0, 14)))
def test_rows_are_those_that_python_would_pick(run, where, sort, page):
    limit, offset = page
    picked = [row["k"] for row in arranged(fitting(where), [*sort, "k"])]
    rows = run(select=["k"], where=where, sort=[*sort, "k"], limit=limit, offset=offset)
    last = None if limit is None else offset + limit
    assert [key for (key,) in rows.cells] == picked[offset:last]


def figures(rows, column):
    known = [row[column] for row in rows if not missing(row[column])]
    ends = (min(known), max(known)) if known else (None, None)
    return len(rows), len(known), len(set(known)), sum(known) if known else None, *ends


@settings(max_examples=100, deadline=None)
@given(where=WHERE, column=st.sampled_from(["a b", "a__b"]), group=st.sampled_from([*COLUMNS]))
def test_figures_are_those_that_python_would_count(run, where, column, group):
    functions = ("count", "count_distinct", "sum", "min", "max")
    measures = [Measure("rows", "count"), *(Measure(name, name, (column,)) for name in functions)]
    groups = {}
    for row in fitting(where):
        groups.setdefault(None if missing(row[group]) else row[group], []).append(row)
    counted = {name: figures(rows, column) for name, rows in groups.items()}
    found = run(where=where, group_by=[group], measures=measures).cells
    assert {cells[0]: cells[1:] for cells in found} == counted
    assert len(found) == len(counted)
