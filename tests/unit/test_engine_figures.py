"""Figures over the golden table: exact where they can be, and never a failure."""

from decimal import Decimal
from math import inf

import pyarrow as pa
import pytest

from app.errors import FigureOutOfRangeError
from app.formats import json_bytes
from app.query import Measure, Query, compile_query, functions_of
from tests.golden import GOLDEN, ROWS, Asking, padded, strict

ALL = [
    *("count_distinct", "sum", "avg", "min", "max", "median", "stddev"),
]
LEAST, MOST = -(2**63), 2**63 - 1
SUMS = {
    "int64": (pa.array([MOST] * 3 + [1]), str(3 * MOST + 1)),
    "least": (pa.array([LEAST] * 4), str(4 * LEAST)),
    "uint64": (pa.array([2**64 - 1] * 4, pa.uint64()), str(4 * (2**64 - 1))),
    "int8": (pa.array([127] * 4, pa.int8()), "508"),
    "decimal": (pa.array([Decimal("0.01")] * 3), "0.03"),
    "nothing": (pa.nulls(4, pa.int64()), None),
}
SPREADS = {
    "vast": [1e308, 1e308, -1e308],
    "infinite": [inf, 1.0],
    "both": [inf, -inf],
    "small": [1.0, 3.0],
}


@pytest.fixture(scope="module")
def golden(bench_at, tmp_path_factory):
    """The golden table, to be asked for figures."""
    bench = bench_at(tmp_path_factory.mktemp("figures"))
    columns = {name: padded(array) for name, (array, _) in GOLDEN.items()}
    sums = {f"sum_{name}": padded(array) for name, (array, _) in SUMS.items()}
    spreads = {f"spread_{name}": padded(pa.array(values)) for name, values in SPREADS.items()}
    return Asking(bench, bench.load({"k": list(range(ROWS)), **columns, **sums, **spreads}))


def figure(golden, function, column):
    """The figure as a strict reader sees it."""
    query = Query(golden.dataset, measures=(Measure("figure", function, (column,)),))
    (row,) = strict(json_bytes(golden.engine.run(compile_query(query))))
    return row["figure"]


@pytest.mark.parametrize("function", ALL)
def test_a_figure_of_any_column_is_an_answer_or_a_refusal_and_never_a_failure(golden, function):
    for column in golden.dataset.columns:
        if function in functions_of(column):
            try:
                figure(golden, function, column.name)
            except FigureOutOfRangeError:
                assert column.type in {"integer", "number", "decimal"}, column.name


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_integers_or_decimals_is_exact_whatever_its_size(golden, name):
    assert figure(golden, "sum", f"sum_{name}") == SUMS[name][1]


@pytest.mark.parametrize("name", [name for name, (_, values) in GOLDEN.items() if values])
@pytest.mark.parametrize("function", ["min", "max"])
def test_the_ends_of_a_column_look_as_its_cells_do(golden, name, function):
    if function in functions_of(golden.dataset.column(name)):
        assert figure(golden, function, name) in GOLDEN[name][1]


@pytest.mark.parametrize(
    ("function", "name", "shown"),
    [
        *((function, "vast", None) for function in ("sum", "stddev")),
        *((function, "infinite", None) for function in ("sum", "avg", "max", "stddev")),
        ("min", "infinite", "1.0"),
        ("avg", "both", None),
        ("median", "small", "2.0"),
        ("stddev", "small", "1.4142135623730951"),
        ("avg", "small", "2.0"),
    ],
)
def test_what_is_no_finite_number_is_null_or_refused(golden, function, name, shown):
    try:
        assert figure(golden, function, f"spread_{name}") == shown
    except FigureOutOfRangeError:
        assert shown is None
