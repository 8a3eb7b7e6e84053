"""Watching what should not suffer, a kept answer and health, while something else goes on."""

import time
from collections.abc import Callable
from itertools import cycle

from tests.benchmarks.connection import Connection, latency
from tests.benchmarks.service import Service
from tests.benchmarks.workload import NAMED, draws

_PAUSE_SECONDS = 0.002


def watch(service: Service, goes_on: Callable[[], bool]) -> dict[str, float]:
    """Ask for a kept answer and for health in turn, while it goes on; give their p99 in ms.

    Raises:
        RuntimeError: one of them was no success.
    """
    took: dict[str, list[float]] = {"kept": [], "health": []}
    values = next(draws(NAMED["kept"], items=1_000))
    requests = {name: service.target.asks[name].request(values) for name in took}
    with Connection(service.port) as connection:
        connection.ask(requests["kept"])
        for name in cycle(took):
            started = time.perf_counter()
            status = connection.ask(requests[name]).status
            took[name].append((time.perf_counter() - started) * 1000)
            if status != 200:
                raise RuntimeError(f"{name} answered {status}")
            if name == "health" and not goes_on():
                break
            time.sleep(_PAUSE_SECONDS)
    return {f"{name}_p99_ms": latency(times).p99_ms for name, times in took.items()}
