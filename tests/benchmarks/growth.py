"""Growth: the same questions to ten times the data, and how long that takes to load."""

from collections.abc import Mapping, Sequence

from tests.benchmarks.figures import Figures
from tests.benchmarks.place import Place
from tests.benchmarks.rounds import Pace, Tell, all_running, checked_cells, play_rounds
from tests.benchmarks.target import Target
from tests.benchmarks.workload import NAMED

PUT = ("range", "lookup", "summary", "page")


def grow(
    targets: Sequence[Target],
    places: Mapping[str, Place],
    seconds: float,
    told: tuple[Figures, Tell],
) -> None:
    """Put some workloads in each place, by one client for so many seconds each.

    Figures begin with the name of the place.
    """
    figures, tell = told
    for size, place in places.items():
        found = Figures(notes=figures.notes)
        with all_running(targets, place, figures.notes) as services:
            for service in services:
                loaded = {"load_s": service.load_seconds, "ready_s": service.ready_seconds}
                loaded["idle_mb"] = service.memory_mb()
                told = {f"{size}_{name}": value for name, value in loaded.items() if value}
                figures.add("growth", service.target.name, **told)
            cells = checked_cells(services, [NAMED[name] for name in PUT], place.items, found)
            play_rounds(cells, Pace(rounds=1, one=seconds, many=0), found, tell)
        for name in PUT:
            for target in found.targets(name):
                took = found[name, target, "p50_ms"]
                figures.add(f"growth of {name}", target, **{f"{size}_p50_ms": took})
