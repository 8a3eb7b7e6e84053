"""Pressure: five hundred clients where sixty-four are served well, and what others notice."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import islice

from tests.benchmarks.connection import Connection
from tests.benchmarks.figures import Figures
from tests.benchmarks.place import ROOT
from tests.benchmarks.rounds import Pace
from tests.benchmarks.service import Service
from tests.benchmarks.watching import Bystander
from tests.benchmarks.workload import NAMED, draws

CROWDS = (64, 500)
# A cheap question, and a dear one.
PUT = ("range", "page")
_REQUESTS = 60_000


def press(
    service: Service, items: int, pace: Pace, figures: Figures, tell: Callable[[str], None]
) -> None:
    """Put each question by a small crowd and a large one in turn; no question comes again.

    A p99 of a thousand answers swings by a third from one round to the next.
    """
    for workload in PUT:
        requests = map(service.target.asks[workload].request, draws(NAMED[workload], items))
        for clients in CROWDS * pace.rounds:
            content = b"\0".join(islice(requests, _REQUESTS))
            found = _put(service, content, clients, pace.look)
            service.rest()
            figures.add(f"pressure on {workload}", f"{clients} clients", **found)
            tell(f"pressure on {workload}, {clients} clients: {found}")


def _put(service: Service, content: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Give what a crowd found, and what a bystander noticed of it."""
    words = [sys.executable, "-m", "tests.benchmarks.crowd", str(service.port)]
    with (
        Connection(service.port) as connection,
        subprocess.Popen(
            [*words, str(clients), str(seconds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as crowd,
    ):
        bystander = Bystander(service, connection)
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdin.write(content)
        crowd.stdin.close()
        noticed = bystander.watch(lambda: crowd.poll() is None)
        return {**json.loads(crowd.stdout.read()), **noticed}
