"""The bars that Assay is held to. Ratios within one run, as a time alone tells of the machine.

Memory, the start, and what the front takes are promised as they are.
"""

from tests.benchmarks.figures import Bar, Key
from tests.benchmarks.pressure import CROWDS, PUT

ASSAY, PREPARED = "assay", "assay_prepared"
RATE, P50, P99 = "per_second", "p50_ms", "p99_ms"
FEW, MANY = (f"{clients} clients" for clients in CROWDS)


def against(other: str, times: float, figure: Key, *, at_least: bool = False) -> Bar:
    """Hold a figure to another target's of the same workload."""
    workload, _, what = figure
    return Bar(figure, times, (workload, other, what), at_least=at_least)


BARS = (
    Bar(("kept", ASSAY, RATE), 0.5, ("empty", "roapi", RATE), at_least=True),
    against("roapi", 150, ("kept", ASSAY, RATE), at_least=True),
    against("datasette", 40, ("kept", ASSAY, RATE), at_least=True),
    against("naive", 300, ("kept", ASSAY, RATE), at_least=True),
    against("roapi", 0.03, ("range", ASSAY, P50)),
    against("datasette", 0.15, ("range", ASSAY, P50)),
    against("roapi", 25, ("range", ASSAY, RATE), at_least=True),
    against("roapi", 0.7, ("lookup", ASSAY, P50)),
    against("roapi", 3, ("lookup", ASSAY, RATE), at_least=True),
    against("roapi", 0.5, ("summary", ASSAY, P50)),
    against("roapi", 0.05, ("summary", PREPARED, P50)),
    against("roapi", 0.4, ("page", ASSAY, P50)),
    against("datasette", 1.0, ("page", PREPARED, P50)),
    against("roapi", 0.9, ("arrow", ASSAY, P50)),
    against("roapi", 0.7, ("csv", ASSAY, P50)),
    against("roapi", 1.0, ("json", ASSAY, P50)),
    Bar(("front", "kept", "cpu_us"), 40),
    Bar(("front", "unchanged", "cpu_us"), 40),
    Bar(("footprint", "assay, workers: 1", "idle_mb"), 0.8, ("footprint", "roapi", "idle_mb")),
    Bar(("footprint", "assay, each further worker", "idle_mb"), 120),
    Bar(("footprint", "assay, each further worker", "used_mb"), 120),
    Bar(("footprint", "assay, workers: 1", "ready_s"), 1.5),
    *(
        Bar((f"pressure on {name}", MANY, P99), 3, (f"pressure on {name}", FEW, P99))
        for name in PUT
    ),
    Bar(("renewal", "refresh", "kept_p99_ms"), 3, ("renewal", "quiet", "kept_p99_ms"), floor=20),
)
