"""The circumstances of a run: when, on what kind of machine, with which versions."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import psutil

from app import __version__

_PEERS = ("roapi", "datasette", "flapi-io", "fastapi", "uvicorn", "duckdb", "pandas")


def circumstances(peers: Path, rounds: int) -> str:
    """Say them in some lines; no names of hosts, and no paths."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kind = found[1].strip() if found else "unknown"
    memory = psutil.virtual_memory().total / 2**30
    libraries = [str(path) for path in peers.parent.glob("lib/python*/site-packages")]
    versions = {each.name: each.version for each in distributions(path=libraries)}
    told = [f"{name} {versions[name]}" for name in _PEERS if name in versions]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {kind}, {memory:.0f} GB of memory"
    return "\n".join(
        [
            f"- {datetime.now(UTC):%Y-%m-%d}, medians of {rounds} interleaved rounds",
            f"- {machine}, {platform.system()}, Python {_python(peers)}",
            f"- Assay {__version__}; {', '.join(told)}",
        ]
    )


def _python(peers: Path) -> str:
    """Give the version of the interpreter that everybody has who is measured and needs one."""
    settings = (peers.parent / "pyvenv.cfg").read_text()
    return settings.partition("version = ")[2].partition("\n")[0]
