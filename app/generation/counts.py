"""What all workers of a host have counted, in the Store. Those that are gone still count.

Each worker writes a file of its own, whole: nothing is mapped, so a full disk can make
counts late but can hurt nobody. What is told is read from the files alone, so no worker tells
less than another one did before.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from app import __version__
from app.generation.store import Store
from app.generation.workers import born
from app.metrics import Tally

_ASIDE = ".aside"

Gauges = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted by all workers ever, and the ``gauges`` of those that live, added up."""

    tally: Tally
    gauges: Gauges
    workers: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """One file: whose it is, and what it holds."""

    path: Path
    fact: Mapping[str, Any]
    tally: Tally

    @property
    def alive(self) -> bool:
        return self.fact["born"] is not None and born(self.fact["pid"]) == self.fact["born"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What one worker has counted, and those of all others; ``gauges`` are read at each writing."""

    store: Store
    worker: str
    tally: Tally
    gauges: Callable[[], Gauges]
    lock: Lock = field(default_factory=Lock)

    def write(self) -> None:
        """Write down what this worker has counted; a full disk is no reason to stop serving."""
        pid = os.getpid()
        told = {"pid": pid, "born": born(pid), "gauges": self.gauges()}
        path = self.store.workers / f"{self.worker}.counts"
        with self.lock, suppress(OSError):
            _write(path, {**told, "tally": self.tally.as_fact()})

    def read(self) -> Counted:
        """Give what all workers have counted, this one up to now.

        Raises:
            OSError: the state directory cannot be read.
        """
        self.write()
        with _alone(self.store.workers):
            total, added = _of_the_dead(self.store)
            found = [each for each in map(_read, self.store.workers.glob("*.counts")) if each]
            alive = [each for each in found if each.alive]
            dead = [each for each in found if not each.alive]
            for each in dead:
                if each.path.stem not in added:
                    total.add(each.tally)
            if dead:
                _keep_dead(self.store, dead, total)
        gauges: dict[str, int] = {}
        for each in alive:
            total.add(each.tally)
            for name, value in each.fact["gauges"].items():
                gauges[name] = gauges.get(name, 0) + value
        return Counted(total, gauges, len(alive))


def used_bytes(store: Store) -> dict[str, int]:
    """Give the bytes of the ``spool`` and of all ``tables``, and how many are ``free`` there."""
    free = os.statvfs(store.path)
    return {
        "spool": _bytes_in(store.spool),
        "tables": _bytes_in(store.tables),
        "free": free.f_bavail * free.f_frsize,
    }


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _of_the_dead(store: Store) -> tuple[Tally, set[str]]:
    """Give what workers that are gone have counted, and whose files are in it already."""
    held = _read(store.workers / "dead.tally")
    return (Tally(), set()) if held is None else (held.tally, set(held.fact["of"]))


def _keep_dead(store: Store, dead: list[_Counts], total: Tally) -> None:
    # Should it end between the two, the names tell the next reader what is added already.
    names = [each.path.stem for each in dead]
    with suppress(OSError):
        _write(store.workers / "dead.tally", {"of": names, "tally": total.as_fact()})
        for each in dead:
            for path in (each.path, each.path.with_suffix(_ASIDE)):
                path.unlink(missing_ok=True)


def _write(path: Path, fact: Mapping[str, object]) -> None:
    aside = path.with_suffix(_ASIDE)
    aside.write_bytes(orjson.dumps({**fact, "version": __version__}))
    aside.rename(path)


def _read(path: Path) -> _Counts | None:
    """Read a file; None where there is none, or where it is not ours to understand."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        fact = orjson.loads(path.read_bytes())
        if fact["version"] == __version__:
            return _Counts(path, fact, Tally.from_fact(fact["tally"]))
        path.unlink(missing_ok=True)
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
