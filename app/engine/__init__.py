"""The DuckDB engine: loads Tables and runs Statements. The only room that imports duckdb."""

from app.engine.compare import compare_engines, compare_tables
from app.engine.duck import DuckEngine, EngineLimits
from app.engine.keyindex import KeyIndex, open_index
from app.engine.load import load_table
from app.engine.loading import Loading, table_hash
from app.engine.queue import Queue, Turns

__all__ = [
    "DuckEngine",
    "EngineLimits",
    "KeyIndex",
    "Loading",
    "Queue",
    "Turns",
    "compare_engines",
    "compare_tables",
    "load_table",
    "open_index",
    "table_hash",
]
