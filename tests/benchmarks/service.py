"""A target that runs: loaded, started, watched, and stopped."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template

import psutil

from tests.benchmarks.connection import Connection
from tests.benchmarks.place import ROOT, Place
from tests.benchmarks.target import Ask, Target

_LONGEST_LOAD_SECONDS = 600
_LONGEST_START_SECONDS = 180
_LONGEST_STOP_SECONDS = 20
_LOOK_SECONDS = 0.01
_LAST_LETTERS = 400
_STILL_SECONDS = 0.03


class NotStartedError(Exception):
    """A target does not start on this machine; says what it said itself."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the processes of one target are started in one place."""

    target: Target
    values: Mapping[str, str]

    @classmethod
    def at(cls, target: Target, place: Place) -> "Launch":
        """Write the files that the target needs, and get ready to start it."""
        launch = cls(target, place.values(target))
        launch.folder.mkdir(parents=True, exist_ok=True)
        for name, text in target.files.items():
            path = launch.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(launch.filled(text))
        return launch

    @property
    def port(self) -> int:
        """Give the port that the target listens at."""
        return int(self.values["port"])

    @property
    def folder(self) -> Path:
        """Give the folder of what the target writes."""
        return Path(self.values["scratch"])

    def filled(self, text: object) -> str:
        """Put the values into a text."""
        return Template(str(text)).substitute(self.values)

    def start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start one process; nobody's own settings reach Assay."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("ASSAY_")}
        told = {name: self.filled(text) for name, text in self.target.environment.items()}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.filled(word) for word in words],
                cwd=ROOT,
                env={**own, **told},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def load(self) -> float:
        """Load once in this place; give the seconds that it took, now or then.

        Raises:
            NotStartedError: it fails.
        """
        took = self.folder / "load_seconds"
        if self.target.load and not took.exists():
            started = time.perf_counter()
            if self.start(self.target.load).wait(_LONGEST_LOAD_SECONDS):
                raise self.not_started("does not load")
            took.write_text(f"{time.perf_counter() - started}")
        return float(took.read_text()) if took.exists() else 0.0

    def not_started(self, what: str) -> NotStartedError:
        """Say what the target said last; it may hold paths of this machine, so names are enough."""
        text = (self.folder / "log").read_text(errors="replace")[-_LAST_LETTERS:]
        words = " ".join(Path(word).name for word in text.split())
        return NotStartedError(f"it {what}: {words}")


@dataclass(frozen=True, slots=True)
class Service:
    """A running target; ``load_seconds`` and ``ready_seconds`` are how long it took to be one."""

    launch: Launch
    process: psutil.Process
    load_seconds: float
    ready_seconds: float

    @property
    def target(self) -> Target:
        """Give what it is."""
        return self.launch.target

    @property
    def port(self) -> int:
        """Give the port that it answers at."""
        return self.launch.port

    def load_again(self) -> subprocess.Popen[bytes]:
        """Begin to load while it runs."""
        return self.launch.start(self.target.load)

    def cpu_seconds(self) -> float:
        """Give the time of all its processes, in user and system."""
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def memory_mb(self) -> float:
        """Give its memory in MB (PSS): what several processes share counts once."""
        texts = [Path(f"/proc/{each.pid}/smaps_rollup").read_text() for each in self._processes()]
        found = [re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE) for text in texts]
        return sum(int(each[1]) for each in found if each) * 1024 / 1e6

    def rest(self) -> None:
        """Wait until what a load left behind is worked off."""
        until = time.monotonic() + _LONGEST_STOP_SECONDS
        while time.monotonic() < until:
            before = self.cpu_seconds()
            time.sleep(0.2)
            if self.cpu_seconds() - before < _STILL_SECONDS:
                return

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(target: Target, place: Place) -> Iterator[Service]:
    """Load what a target needs, unless that was done before, start it, and stop it after.

    Raises:
        NotStartedError: it does not load, or is not ready in time.
    """
    launch = Launch.at(target, place)
    load_seconds = launch.load()
    process = launch.start(target.command)
    try:
        ready_seconds = _wait_until_ready(launch, process)
        yield Service(launch, psutil.Process(process.pid), load_seconds, ready_seconds)
    finally:
        _stop(process)


def _wait_until_ready(launch: Launch, process: subprocess.Popen[bytes]) -> float:
    request = Ask(launch.target.ready).request({})
    began = time.perf_counter()
    while time.perf_counter() < began + _LONGEST_START_SECONDS and process.poll() is None:
        with suppress(OSError), Connection(launch.port) as connection:
            if connection.ask(request).status == 200:
                return time.perf_counter() - began
        time.sleep(_LOOK_SECONDS)
    raise launch.not_started("does not start")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that this one started, with what it started itself."""
    children = (
        [] if process.poll() is not None else psutil.Process(process.pid).children(recursive=True)
    )
    process.terminate()
    try:
        process.wait(_LONGEST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for each in children:
        with suppress(psutil.NoSuchProcess):
            each.kill()
