"""Renewal: what readers notice while a refresh loads new tables of the same shape."""

import shutil
import time
from dataclasses import replace

from tests.benchmarks.connection import Connection
from tests.benchmarks.figures import Figures
from tests.benchmarks.place import Place, write_gold
from tests.benchmarks.service import running
from tests.benchmarks.target import Target
from tests.benchmarks.watching import Bystander

_OTHER_SEED = 8


def renew(target: Target, place: Place, seconds: float, figures: Figures) -> None:
    """Watch a service while nothing else happens, and while it is refreshed.

    Raises:
        RuntimeError: the refresh failed.
    """
    own = replace(place, gold=place.scratch / "renewed", scratch=place.scratch / "renewal")
    newer = place.scratch / "newer"
    shutil.copytree(place.gold, own.gold)
    write_gold(newer, place.items, _OTHER_SEED)
    with running(target, own) as service, Connection(service.port) as connection:
        watch = Bystander(service, connection).watch
        until = time.monotonic() + seconds
        figures.add("renewal", "quiet", **watch(lambda: time.monotonic() < until))
        for path in newer.iterdir():
            path.replace(own.gold / path.name)
        with service.load_again() as refresh:
            started = time.monotonic()
            figures.add("renewal", "refresh", **watch(lambda: refresh.poll() is None))
            if refresh.returncode:
                raise RuntimeError("the refresh failed")
            figures.add("renewal", "refresh", seconds=time.monotonic() - started)
