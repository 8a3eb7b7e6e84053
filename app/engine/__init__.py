"""The DuckDB engine: loads Tables and runs Statements. The only room that imports duckdb."""

from app.engine.compare import compare_engines, compare_tables
from app.engine.duck import DuckEngine, EngineLimits
from app.engine.load import Loading, load_table, table_hash
from app.engine.queue import Queue, Turns

__all__ = [
    "DuckEngine",
    "EngineLimits",
    "Loading",
    "Queue",
    "Turns",
    "compare_engines",
    "compare_tables",
    "load_table",
    "table_hash",
]
