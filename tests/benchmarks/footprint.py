"""Footprint: memory, and how soon a target is ready, each alone on what it has loaded."""

import time
from dataclasses import dataclass
from itertools import islice

from tests.benchmarks.connection import Connection
from tests.benchmarks.figures import Figures
from tests.benchmarks.place import Place
from tests.benchmarks.rounds import Pace
from tests.benchmarks.service import Launch, Service, running
from tests.benchmarks.target import Target
from tests.benchmarks.workload import ALL, draws

_WORKERS = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Scale:
    """Weighs targets in one place, idle and when so many clients have used them."""

    place: Place
    clients: int
    pace: Pace
    figures: Figures

    def weigh(self, target: Target) -> None:
        """Start a target a few times, look at its memory, and again when it has settled after work.

        One with workers is started with several numbers of them.

        Raises:
            NotStartedError: it does not start.
        """
        Launch.at(target, self.place).load()
        if "workers" not in target.values:
            self._weigh(target, target.name)
            return
        names = [f"{target.name}, workers: {number}" for number in _WORKERS]
        for number, name in zip(_WORKERS, names, strict=True):
            self._weigh(target.having(workers=number), name)
        for what in ("idle_mb", "used_mb"):
            few, many = (self.figures["footprint", name, what] for name in (names[0], names[-1]))
            each = (many - few) / (_WORKERS[-1] - _WORKERS[0])
            self.figures.add("footprint", f"{target.name}, each further worker", **{what: each})

    def _weigh(self, target: Target, name: str) -> None:
        # The one that follows a load is slower: what was loaded is still being written.
        for _ in range(self.pace.starts - 1):
            with running(target, self.place) as service:
                service.rest()
                self.figures.add("footprint", name, ready_s=service.ready_seconds)
        with running(target, self.place) as service:
            service.rest()
            idle = service.memory_mb()
            self._use(service)
            service.rest()
            # What work has taken and is no longer in use is given back after a second or so.
            time.sleep(self.pace.settled)
            found = {"ready_s": service.ready_seconds, "idle_mb": idle}
            self.figures.add("footprint", name, **found, used_mb=service.memory_mb())

    def _use(self, service: Service) -> None:
        """Put every workload once by each client."""
        # Other questions for each number of workers: exports that were made before are only read.
        first = self.clients * int(service.target.values.get("workers", 0))
        for workload in ALL:
            ask = service.target.asks.get(workload.name)
            if ask is None:
                continue
            values = draws(workload, self.place.items)
            for each in islice(values, first, first + self.clients):
                with Connection(service.port) as connection:
                    connection.ask(ask.request(each))
