"""Footprint: memory, and how soon a target is ready, each alone on what it has loaded."""

from itertools import islice

from tests.benchmarks.connection import Connection
from tests.benchmarks.figures import Figures
from tests.benchmarks.place import Place
from tests.benchmarks.service import Launch, Service, running
from tests.benchmarks.target import Target
from tests.benchmarks.workload import ALL, draws

_WORKERS = (1, 2, 4)
# So that every worker has its share of the work.
_CONNECTIONS = 16


def weigh(target: Target, place: Place, figures: Figures) -> None:
    """Start a target, look at its memory, and again when it has done some work.

    One with workers is started with several numbers of them.

    Raises:
        NotStartedError: it does not start.
    """
    Launch.at(target, place).load()
    if "workers" not in target.values:
        _weigh(target, target.name, place, figures)
        return
    names = [f"{target.name}, workers: {number}" for number in _WORKERS]
    for number, name in zip(_WORKERS, names, strict=True):
        _weigh(target.having(workers=number), name, place, figures)
    for what in ("idle_mb", "used_mb"):
        more = figures["footprint", names[-1], what] - figures["footprint", names[0], what]
        each = more / (_WORKERS[-1] - _WORKERS[0])
        figures.add("footprint", f"{target.name}, each further worker", **{what: each})


def _weigh(target: Target, name: str, place: Place, figures: Figures) -> None:
    with running(target, place) as service:
        service.rest()
        idle = service.memory_mb()
        _use(service, place.items)
        service.rest()
        used = service.memory_mb()
        figures.add("footprint", name, ready_s=service.ready_seconds, idle_mb=idle, used_mb=used)


def _use(service: Service, items: int) -> None:
    """Put every workload once by each of some clients."""
    # Other questions for each number of workers: exports that were made before are only read.
    first = _CONNECTIONS * int(service.target.values.get("workers", 0))
    for workload in ALL:
        ask = service.target.asks.get(workload.name)
        if ask is None:
            continue
        for values in islice(draws(workload, items), first, first + _CONNECTIONS):
            with Connection(service.port) as connection:
                connection.ask(ask.request(values))
