"""A question to one Dataset, and its SQL. Pure: it opens nothing and knows no HTTP."""

from app.query.cells import has_lost
from app.query.comparing import SIDES, compare
from app.query.comparison import Compared, Comparison, Difference
from app.query.compile import (
    TABLE,
    Statement,
    catalog_of,
    compile_export,
    compile_query,
    compile_summary,
)
from app.query.cursor import Cursor
from app.query.filters import MOST_FILTERS, MOST_VALUES, Filters, canonical_filters, read_cell
from app.query.keyread import KeyRead, key_read
from app.query.measures import FUNCTIONS, functions_of, is_scalar, result_of
from app.query.query import WINDOWS, AnyOf, Measure, Query, Where, Window
from app.query.rows import NO_STAMP, JsonText, NanoTime, Rows, Stamp, WideInteger
from app.query.thinning import thin
from app.query.types import OPERATORS, TYPES, Type, read_value, value_schema
from app.query.windows import window_number, window_start

__all__ = [
    "FUNCTIONS",
    "MOST_FILTERS",
    "MOST_VALUES",
    "NO_STAMP",
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
    "KeyRead",
    "Measure",
    "NanoTime",
    "Query",
    "Rows",
    "Stamp",
    "Statement",
    "Type",
    "Where",
    "WideInteger",
    "Window",
    "canonical_filters",
    "catalog_of",
    "compare",
    "compile_export",
    "compile_query",
    "compile_summary",
    "functions_of",
    "has_lost",
    "is_scalar",
    "key_read",
    "read_cell",
    "read_value",
    "result_of",
    "thin",
    "value_schema",
    "window_number",
    "window_start",
]
