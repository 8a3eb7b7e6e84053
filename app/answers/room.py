"""Keeps the spool within its bytes: what is least recently used goes, and so do rests."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import ExportTooLargeError

# Each step looks at all files, so there are few.
_STEP = 16 * 1024 * 1024

_File = tuple[str, os.stat_result]


@dataclass(frozen=True, slots=True)
class Room:
    """The room of all files in a folder together; a file takes it before it is written."""

    folder: Path
    limit: int

    def reserve(self, descriptor: int, size: int) -> int:
        """Make room for a file to grow to ``size``; give how far it may grow.

        Raises:
            ExportTooLargeError: there is less room, even without all that is not in use.
        """
        with self._alone():
            own, files = os.fstat(descriptor).st_size, self._files()
            free = self.limit - sum(stat.st_size for _, stat in files) + own
            if free < size:
                free += _make_free(size - free, files)
            if free < size:
                raise ExportTooLargeError("There is no room for exports of this size.")
            reserved = min(size + _STEP, free)
            # Its length tells the others, and a full disk is known before the work.
            os.posix_fallocate(descriptor, 0, reserved)
            return reserved

    def _files(self) -> list[_File]:
        # There may be thousands, and each step of each export looks at them: no more than it takes.
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found.append((entry.path, entry.stat()))
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # The folder itself is locked: a lock file in it would be one more thing to count.
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _make_free(size: int, files: list[_File]) -> int:
    """Remove what nobody makes, least recently used first; give how much it was."""
    freed = 0
    for name, stat in sorted(files, key=lambda each: each[1].st_mtime_ns):
        if freed >= size:
            break
        path = Path(name)
        if path.suffix != ".part":
            path.unlink(missing_ok=True)
            freed += stat.st_size
        elif _remove_left(path):
            freed += stat.st_size
    return freed


def _remove_left(part: Path) -> bool:
    """Remove the part if the one who made it is gone: whoever makes one has it locked."""
    with suppress(FileNotFoundError, BlockingIOError):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
        finally:
            os.close(descriptor)
        return True
    return False
