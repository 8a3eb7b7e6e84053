"""The builder: a process of its own that does one job, so that no worker is slowed or risked."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

from app.discovery import Plugins
from app.engine import EngineLimits
from app.generation import Retention, Store
from app.refresh.build import Build
from app.refresh.job import Job, Jobs
from app.settings import Settings

# Answers go before refreshes where there are not cores enough for both.
_NICENESS = 10
_THREADS = 2


def start_builder(settings: Settings) -> None:
    """Start a builder for the job that waits; it waits in turn for one that is at work."""
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    builder = subprocess.Popen(
        [sys.executable, "-m", "app.refresh"],
        env={**os.environ, **settings.environment(), "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Somebody has to take its exit status, or it stays as a zombie.
    Thread(target=builder.wait, daemon=True).start()


def build_waiting(settings: Settings) -> Job | None:
    """Do the job that waits, as the only builder of the host; None where none waits."""
    store = Store.at(settings.state)
    plugins = Plugins(settings.plugins)
    with store.lock("build"):
        job = Jobs(store).start()
        if job is None:
            return None
        limits = EngineLimits(_THREADS, settings.loader_memory, store.spill)
        retention = Retention(settings.keep_generations, settings.keep_seconds, settings.keep_bytes)
        build = Build(job, store, settings.registry, plugins, limits, retention)
        finished = build.run()
        Jobs(store).forget_old()
        return finished


def be_nice() -> None:
    """Give way to the workers."""
    os.nice(_NICENESS)
