"""The spool: Answers as files, made once by whichever worker comes first, within bounds.

A file is the body, then what is told of it, then how long that is. It never changes.
"""

import fcntl
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

import orjson

from app.answers.answer import KEPT, MADE, Identity, Outcome
from app.answers.room import Room
from app.errors import NoRoomError

# After a crash of the system a file may have its length without its content.
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TAIL = 8
_MOST_TOLD = 1024 * 1024
_BUFFER = 256 * 1024

Told = Mapping[str, Any]
Writer = Callable[[BinaryIO], Told]


class Opened:
    """A file that is open for reading, until nobody refers to it at the latest."""

    descriptor = -1

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def read(self, length: int, start: int) -> bytes:
        """Read so many bytes from there on, or what there is of them."""
        return os.pread(self.descriptor, length, start)

    def close(self) -> None:
        """Let go of the file, which may be gone from its folder already."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = close


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file of the spool: its body is the first ``length`` bytes.

    ``told`` is what its maker said of it; ``edition`` tells it from what was made of the same
    identity at other times.
    """

    file: Opened
    length: int
    edition: str
    told: Told


class Spool:
    """The folder of spooled Answers, shared by the workers of a host and those after them.

    ``waits`` is called by who is about to make one, or to wait for who does.
    """

    def __init__(self, folder: Path, limit: int, waits: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._waits = waits
        self._room = Room(folder, limit)
        self._boot = _BOOT.read_text().strip() if _BOOT.exists() else ""

    def answer(self, identity: Identity, write: Writer) -> tuple[Spooled, Outcome]:
        """Give the open file of that identity, made by ``write`` where there is none.

        One caller of all workers makes it, the others wait. Whatever ``write`` raises is its
        caller's own, and the next one tries. Nothing of a failure stays.

        Raises:
            ExportTooLargeError: it does not fit the spool.
            NoRoomError: the disk is full.
        """
        path, outcome = self._folder / identity.file, KEPT
        while True:
            held = self._opened(path)
            if held is not None:
                return held, outcome
            self._waits()
            with _alone(path.with_suffix(".part")) as descriptor:
                if descriptor is not None and not path.exists():
                    self._make(descriptor, path, write)
                    outcome = MADE

    def _opened(self, path: Path) -> Spooled | None:
        try:
            file = Opened(path)
        except FileNotFoundError:
            return None
        held = self._read(file)
        if held is None:
            path.unlink(missing_ok=True)
            return None
        # The least recently used goes first.
        os.utime(file.descriptor)
        return held

    def _read(self, file: Opened) -> Spooled | None:
        """Read what is told at the end; None where the file is not whole, or may not be."""
        end = os.fstat(file.descriptor).st_size - _TAIL
        with suppress(ValueError, KeyError, OSError):
            tail = int.from_bytes(file.read(_TAIL, end))
            facts = orjson.loads(file.read(min(tail, _MOST_TOLD), max(end - tail, 0)))
            if facts["boot"] == self._boot and facts["bytes"] == end - tail:
                return Spooled(file, facts["bytes"], facts["edition"], facts["told"])
        return None

    def _make(self, descriptor: int, path: Path, write: Writer) -> None:
        part = path.with_suffix(".part")
        try:
            self._write(descriptor, write)
            part.rename(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            if error.errno in {ENOSPC, EDQUOT}:
                raise NoRoomError("The disk of the state directory is full.") from error
            raise
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _write(self, descriptor: int, write: Writer) -> None:
        raw = _Raw(descriptor, self._room)
        with io.BufferedWriter(raw, _BUFFER) as sink:
            told = write(sink)
            sink.flush()
            facts = {"boot": self._boot, "bytes": raw.size, "edition": token_hex(16), "told": told}
            tail = orjson.dumps(facts)
            sink.write(tail + len(tail).to_bytes(_TAIL))
        os.ftruncate(descriptor, raw.size)


@contextmanager
def _alone(part: Path) -> Iterator[int | None]:
    """Open the file, empty, for the one who makes it; None for those who waited meanwhile.

    The kernel lets go of it when its holder dies.
    """
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        mine = _is(part, descriptor)
        if mine:
            os.ftruncate(descriptor, 0)
        yield descriptor if mine else None
    finally:
        os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class _Raw(io.RawIOBase):
    """Writes into the part, and asks for room before."""

    def __init__(self, descriptor: int, room: Room) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._room = room
        self._reserved = 0
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401 - whatever has bytes
        view = memoryview(content).cast("B")
        if self.size + len(view) > self._reserved:
            self._reserved = self._room.reserve(self._descriptor, self.size + len(view))
        written = os.pwrite(self._descriptor, view, self.size)
        self.size += written
        return written
