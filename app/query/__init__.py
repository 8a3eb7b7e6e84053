"""A question to one Dataset, and its SQL. Pure: it opens nothing and knows no HTTP."""

from app.query.cells import TABLE, catalog_of, has_lost
from app.query.comparing import SIDES, compare
from app.query.comparison import Compared, Comparison, Difference
from app.query.compile import Statement, compile_export, compile_query, compile_summary
from app.query.cursor import Cursor
from app.query.export import export_stretches
from app.query.filters import MOST_FILTERS, MOST_VALUES, Filters, canonical_filters, read_cell
from app.query.measures import FUNCTIONS, functions_of, is_scalar, result_of
from app.query.merging import Merge, merge
from app.query.outline import Order, Outline
from app.query.query import WINDOWS, AnyOf, Measure, Query, Where, Window, read_order
from app.query.rollups import NUMBERS, compile_rollup, read_measure, rolled_up, sets_of
from app.query.rows import NO_STAMP, JsonText, NanoTime, Rows, Stamp, WideInteger
from app.query.stretch import KEYS, Stretch, orders_of, stretch
from app.query.thinning import thin
from app.query.types import OPERATORS, TYPES, Type, read_value, value_schema
from app.query.unfit import unfit
from app.query.windows import window_number, window_start

__all__ = [
    "FUNCTIONS",
    "KEYS",
    "MOST_FILTERS",
    "MOST_VALUES",
    "NO_STAMP",
    "NUMBERS",
    "OPERATORS",
    "SIDES",
    "TABLE",
    "TYPES",
    "WINDOWS",
    "AnyOf",
    "Compared",
    "Comparison",
    "Cursor",
    "Difference",
    "Filters",
    "JsonText",
    "Measure",
    "Merge",
    "NanoTime",
    "Order",
    "Outline",
    "Query",
    "Rows",
    "Stamp",
    "Statement",
    "Stretch",
    "Type",
    "Where",
    "WideInteger",
    "Window",
    "canonical_filters",
    "catalog_of",
    "compare",
    "compile_export",
    "compile_query",
    "compile_rollup",
    "compile_summary",
    "export_stretches",
    "functions_of",
    "has_lost",
    "is_scalar",
    "merge",
    "orders_of",
    "read_cell",
    "read_measure",
    "read_order",
    "read_value",
    "result_of",
    "rolled_up",
    "sets_of",
    "stretch",
    "thin",
    "unfit",
    "value_schema",
    "window_number",
    "window_start",
]
