"""The front by itself: what a kept answer takes in its process, without door and server."""

import json
from subprocess import TimeoutExpired

from tests.benchmarks.figures import Figures
from tests.benchmarks.place import Place
from tests.benchmarks.service import Launch
from tests.benchmarks.target import Target
from tests.benchmarks.workload import NAMED, draws

_LONGEST_SECONDS = 120


def call(target: Target, place: Place, figures: Figures) -> None:
    """Call a front many times in a process of its own.

    Raises:
        NotStartedError: it does not answer.
    """
    launch = Launch.at(target, place)
    launch.load()
    values = next(draws(NAMED["kept"], place.items))
    _, address, _ = target.asks["kept"].request(values).split(b" ", 2)
    into = launch.folder / "calls.json"
    words = ["$service", "-m", "tests.benchmarks.calls", address.decode(), str(into)]
    process = launch.start(words)
    try:
        failed = process.wait(_LONGEST_SECONDS)
    except TimeoutExpired:
        failed = True
        process.kill()
    if failed:
        raise launch.not_started("does not answer")
    for name, cpu_us in json.loads(into.read_text()).items():
        figures.add("front", name, cpu_us=cpu_us)
