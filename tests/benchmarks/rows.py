"""How many rows an answer has."""

import json
import subprocess
import sys

from tests.benchmarks.target import Ask

_COUNT_ARROW = (
    "import sys, pyarrow;"
    "print(pyarrow.ipc.open_stream(sys.stdin.buffer.read()).read_all().num_rows)"
)


def count_rows(ask: Ask, body: bytes) -> int:
    """Count the rows of a body; an object is one row, unless ``ask`` says which member has them."""
    if ask.form == "text":
        return 1
    if ask.form == "csv":
        return len(body.splitlines()) - 1
    if ask.form == "arrow":
        # In a process of its own: what this one imports is shared with what is measured.
        counting = [sys.executable, "-c", _COUNT_ARROW]
        return int(subprocess.run(counting, input=body, capture_output=True, check=True).stdout)
    rows = json.loads(body)
    rows = rows[ask.at] if ask.at else rows
    return len(rows) if isinstance(rows, list) else 1
