"""Watching what should not suffer, a kept answer and health, while something else goes on."""

import time
from collections.abc import Callable
from itertools import cycle

from tests.benchmarks.connection import Connection, latency
from tests.benchmarks.service import Service
from tests.benchmarks.workload import NAMED, draws

_PAUSE_SECONDS = 0.002
_BUSY = 503


class Bystander:
    """Who asks for a kept answer and for health in turn, over one connection: so of one worker."""

    def __init__(self, service: Service, connection: Connection) -> None:
        values = next(draws(NAMED["kept"], items=1_000))
        asks = service.target.asks
        self._requests = {name: asks[name].request(values) for name in ("kept", "health")}
        self._connection = connection
        # What is asked for the first time is no kept answer.
        self._ask("kept")

    def watch(self, goes_on: Callable[[], bool]) -> dict[str, float]:
        """Ask while it goes on; give the p99 of both in ms.

        Raises:
            RuntimeError: one of them was no success.
        """
        took: dict[str, list[float]] = {name: [] for name in self._requests}
        for name in cycle(took):
            took[name].append(self._ask(name))
            if name == "health" and not goes_on():
                break
            time.sleep(_PAUSE_SECONDS)
        return {f"{name}_p99_ms": latency(times).p99_ms for name, times in took.items()}

    def _ask(self, name: str) -> float:
        started = time.perf_counter()
        status = self._connection.ask(self._requests[name]).status
        while status == _BUSY:
            # What was kept is old, and has to stand in line: the wait is one.
            status = self._connection.ask(self._requests[name]).status
        if status != 200:
            raise RuntimeError(f"{name} answered {status}")
        return (time.perf_counter() - started) * 1000
