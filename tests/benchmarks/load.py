"""Many clients at once, by wrk: how many requests a second a target answers."""

import math
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.service import Service

CLIENTS = 32
_SCRIPT = Path(__file__).with_name("load.lua")
_FEWEST = 500
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Rate:
    """What many clients got: answers a second, and what each cost the target in µs of CPU."""

    per_second: float
    cpu_us: float


def wrk() -> str | None:
    """Give the program, where it is installed."""
    return shutil.which("wrk")


def enough(p50_ms: float, seconds: float) -> int:
    """Give how many different requests it takes that none comes again: one client's time tells.

    Nobody waits less among many than alone.
    """
    return min(_MOST, _FEWEST + math.ceil(CLIENTS * seconds * 1000 / p50_ms))


def put_load(service: Service, requests: Sequence[bytes], seconds: int) -> Rate:
    """Send requests for so many seconds; one alone again and again.

    Raises:
        RuntimeError: an answer was no success, or several requests were too few.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0".join(requests))
        file.flush()
        before = service.cpu_seconds()
        told = _told(service.port, file.name, seconds)
    cpu = service.cpu_seconds() - before
    service.rest()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    if refused:
        raise RuntimeError(f"{refused[1]} answers were refusals")
    answered = int(_found(r"(\d+) requests in", told))
    if 1 < len(requests) < answered:
        raise RuntimeError(f"{answered} answers to {len(requests)} requests")
    return Rate(float(_found(r"Requests/sec:\s+([\d.]+)", told)), cpu / max(answered, 1) * 1e6)


def _told(port: int, requests: str, seconds: int) -> str:
    words = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--timeout", "60s", "-s", str(_SCRIPT)]
    return subprocess.run(
        [*words, f"http://127.0.0.1:{port}"],
        env={**os.environ, "REQUESTS": requests},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk says something else: {text}")
    return found[1]
