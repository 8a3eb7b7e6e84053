"""The DuckDB engine: loads Tables and runs Statements. The only room that imports duckdb."""

from app.engine.compare import compare_engines, compare_tables
from app.engine.desk import Desk
from app.engine.doors import InLine, Later
from app.engine.doorstep import Doorstep
from app.engine.duck import DuckEngine, EngineLimits
from app.engine.hands import Hands
from app.engine.index import Index, open_index
from app.engine.load import load_table
from app.engine.loading import Loading, table_hash
from app.engine.preparing import index_suffix
from app.engine.queue import Queue, Work
from app.engine.reserve import Reserve
from app.engine.stream import in_time
from app.engine.turns import Turns

__all__ = [
    "Desk",
    "Doorstep",
    "DuckEngine",
    "EngineLimits",
    "Hands",
    "InLine",
    "Index",
    "Later",
    "Loading",
    "Queue",
    "Reserve",
    "Turns",
    "Work",
    "compare_engines",
    "compare_tables",
    "in_time",
    "index_suffix",
    "load_table",
    "open_index",
    "table_hash",
]
