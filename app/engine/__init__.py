"""The DuckDB engine: loads Tables and runs Statements. The only room that imports duckdb."""

from app.engine.compare import compare_tables
from app.engine.duck import DuckEngine, EngineLimits
from app.engine.load import Loading, load_table, table_hash
from app.engine.queue import Queue
from app.engine.table import Finding, Table, TableColumn

__all__ = [
    "DuckEngine",
    "EngineLimits",
    "Finding",
    "Loading",
    "Queue",
    "Table",
    "TableColumn",
    "compare_tables",
    "load_table",
    "table_hash",
]
