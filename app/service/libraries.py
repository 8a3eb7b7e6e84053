"""Settles for one process what its libraries would else try again and again."""

import sys
from importlib.util import find_spec

import pyarrow as pa

# Arrow asks for the first at each Python value that it is given without a type, and DuckDB for
# the second at each value that is bound. To look for what is not there takes them 50 µs.
_ASKED_FOR = ("dateutil", "pandas")


def settle_libraries() -> None:
    """Say which of the libraries that others ask for are not installed, and who gives memory."""
    for name in _ASKED_FOR:
        if find_spec(name) is None:
            # Python's own word for a module that need not be looked for.
            sys.modules[name] = None  # type: ignore[assignment]
    # What an export has taken serves its next piece, and is given back a second after the last.
    # Of the allocators that Arrow brings, one keeps it for good; the system's asks for it anew.
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    else:
        pa.set_memory_pool(pa.system_memory_pool())
