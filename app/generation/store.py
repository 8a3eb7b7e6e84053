"""The Store: the state directory, the one pointer in it, and how both are changed.

It never reads a source, and it never changes a file that has its final name.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.engine import index_suffix
from app.errors import NoRoomError, ServiceError, StateError
from app.generation.manifest import Manifest
from app.pointer import named_in, pointer_in

_NEXT = "NEXT"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FOLDERS = ("generations", "tables", "jobs", "staging", "aside", "spill", "spool", "workers")


@dataclass(frozen=True, slots=True)
class Store:
    """The state directory; ours alone (0700)."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "Store":
        """Open the Store there, made where it is missing."""
        for folder in ("", *_FOLDERS):
            (path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path)

    @property
    def generations(self) -> Path:
        """Give the folder of manifests."""
        return self.path / "generations"

    @property
    def tables(self) -> Path:
        """Give the folder of Table files."""
        return self.path / "tables"

    @property
    def jobs(self) -> Path:
        """Give the folder of job records."""
        return self.path / "jobs"

    @property
    def staging(self) -> Path:
        """Give the folder that copies of sources are made in."""
        return self.path / "staging"

    @property
    def aside(self) -> Path:
        """Give the folder of dry runs, each in a folder of its own."""
        return self.path / "aside"

    @property
    def spill(self) -> Path:
        """Give the folder that an engine may spill to."""
        return self.path / "spill"

    @property
    def spool(self) -> Path:
        """Give the folder of Answers that are kept on disk."""
        return self.path / "spool"

    @property
    def workers(self) -> Path:
        """Give the folder in which each worker says which Generation it serves."""
        return self.path / "workers"

    @property
    def pointer(self) -> Path:
        """Give the one symlink whose replacement is the commit."""
        return pointer_in(self.path)

    def current(self) -> str | None:
        """Read the pointer: the name of the current manifest, or None before the first commit."""
        return named_in(self.path)

    def manifest(self, name: str) -> Manifest:
        """Read a manifest by its name.

        Raises:
            FileNotFoundError: it has been collected.
        """
        return Manifest.from_bytes((self.generations / name).read_bytes())

    def latest(self) -> Manifest | None:
        """Read the current manifest, if there is one."""
        name = self.current()
        return None if name is None else self.manifest(name)

    def numbers(self) -> list[int]:
        """Give the numbers of all kept Generations, oldest first."""
        stems = (path.stem for path in self.generations.glob("*.json"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def next_number(self) -> int:
        """Give a number above every one that was ever given.

        A worker may be ready for one that was announced and then given up.
        """
        announced = self.announced()
        given = [*self.numbers(), *([int(Path(announced).stem)] if announced else [])]
        return max(given, default=0) + 1

    def table_file(self, table_hash: str) -> Path:
        """Give the path of a Table file."""
        return self.tables / f"{table_hash}.duckdb"

    def index_file(self, table_hash: str, order: str) -> Path:
        """Give the path of the index of an order of a Table, which it may not have."""
        return self.tables / f"{table_hash}{index_suffix(order)}"

    def write(self, manifest: Manifest) -> None:
        """Write a manifest; nobody serves it before the pointer names it."""
        write_whole(self.generations / manifest.name, manifest.as_bytes())
        sync_folder(self.tables)

    def announce(self, manifest: Manifest) -> None:
        """Tell the workers which Generation comes next, so that they can get ready."""
        self._link(self.path / _NEXT, manifest)

    def announced(self) -> str | None:
        """Read the name of the manifest that was announced last."""
        return named_in(self.path, _NEXT)

    def point(self, manifest: Manifest) -> None:
        """Move the pointer to a manifest that is written: the commit."""
        self._link(self.pointer, manifest)
        sync_folder(self.path)

    def tidy(self) -> None:
        """Remove what processes that died left behind; to be called by the only builder."""
        current = self.current() or ""
        left = [path for path in self.generations.iterdir() if path.name > current]
        left += [*self.staging.iterdir(), *self.tables.glob("*.unfinished*")]
        for folder in (self.path, self.jobs):
            left += _of_the_dead(folder.glob("*.part"), part=-2)
        left += _of_the_dead(self.spill.iterdir(), part=0)
        with self.lock("plan", wait=False) as free:
            left += self.aside.iterdir() if free else ()
            for path in left:
                _remove(path)

    @contextmanager
    def lock(self, name: str, *, wait: bool = True, shared: bool = False) -> Iterator[bool]:
        """Hold the lock of that name across processes; gives False where it is taken.

        ``shared`` may be held by several at once, but not beside one that is not shared.

        The kernel frees it when its holder dies.
        """
        descriptor = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(descriptor, kind | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def _link(self, link: Path, manifest: Manifest) -> None:
        aside = link.with_suffix(".aside")
        aside.unlink(missing_ok=True)
        aside.symlink_to(Path("generations") / manifest.name)
        aside.rename(link)

    def key(self) -> bytes:
        """Give the secret that ETags are made with, made at the first call."""
        path = self.path / "etag.key"
        with self.lock("key"):
            if not path.exists():
                write_whole(path, secrets.token_bytes(32))
        return path.read_bytes()


def state_refusal(error: OSError) -> ServiceError:
    """Say why the state directory cannot be used, without the path in the system's own words."""
    if error.errno in _FULL:
        return NoRoomError("The state directory is full.")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return StateError(f"The state directory cannot be used: {reason}.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _of_the_dead(paths: Iterable[Path], *, part: int) -> list[Path]:
    """Give the paths whose names hold, as that part, the id of a process that is no more."""
    pids = {path: re.split(r"[.-]", path.name)[part] for path in paths}
    return [path for path, pid in pids.items() if not Path(f"/proc/{pid}").exists()]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole and durable, or not at all."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
