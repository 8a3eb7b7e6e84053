"""What a worker says of the libraries that are not installed."""

import subprocess
import sys

# Arrow and DuckDB ask for a library in C, so that nothing but the finder sees it.
_COUNTED = """
import sys
from importlib.machinery import PathFinder

asked = []

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in {"dateutil", "pandas"}:
            asked.append(name)
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder

import duckdb
import pyarrow as pa
from app.service.libraries import settle_libraries

def look():
    asked.clear()
    pa.array(["a"])
    duckdb.execute("SELECT ?", [1.5]).fetchall()
    return sorted(set(asked))

print(look())
settle_libraries()
print(look())
"""


def test_a_library_that_is_not_installed_is_looked_for_no_more():
    told = subprocess.run(
        [sys.executable, "-c", _COUNTED], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines() == ["['dateutil', 'pandas']", "[]"]
