"""A question to one Dataset, and its SQL. Pure: it opens nothing and knows no HTTP."""

from app.query.compile import TABLE, Statement, catalog_of, compile_query
from app.query.measures import FUNCTIONS
from app.query.query import WINDOWS, AnyOf, Measure, Query, Where, Window
from app.query.rows import NO_STAMP, JsonText, Rows, Stamp, WideInteger
from app.query.types import OPERATORS, TYPES, Type, read_value, value_schema

__all__ = [
    "FUNCTIONS",
    "NO_STAMP",
    "OPERATORS",
    "TABLE",
    "TYPES",
    "WINDOWS",
    "AnyOf",
    "JsonText",
    "Measure",
    "Query",
    "Rows",
    "Stamp",
    "Statement",
    "Type",
    "Where",
    "WideInteger",
    "Window",
    "catalog_of",
    "compile_query",
    "read_value",
    "value_schema",
]
