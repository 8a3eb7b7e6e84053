"""Copies source files into a folder of ours, hashed on the way. Never copies what was not found."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from app.dataset import Dataset, Source
from app.errors import NoRoomError, RefreshError, SourceError
from app.refresh.folders import open_file, reason_of
from app.refresh.sources import SourceChangedError, SourceFile, fault_of, find_files

ATTEMPTS = 3
_PIECE = 1 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What opening says when a file that was found is gone, or something else is in its place.
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_files(
    source: Source, dataset: Dataset, target: Path, progress: Callable[[int], None]
) -> tuple[SourceFile, ...]:
    """Find the dataset's files and copy them into ``target`` as ``0000.parquet``, and so on.

    If one changes meanwhile, all are found and copied again: three attempts at most.
    ``progress`` is told each number of bytes copied, and a negative one for copies undone.

    Raises:
        SourceError: a file is refused, or changed at each attempt.
        NoRoomError: the copies do not fit.
        RefreshError: the copies cannot be written.
    """
    path = dataset.path
    for _ in range(ATTEMPTS):
        try:
            return _copy_all(source, dataset, target, progress)
        except SourceChangedError as error:
            path = str(error.facts["path"])
        except SourceError as error:
            error.facts.setdefault("dataset", dataset.name)
            raise
    raise SourceChangedError(
        f"{dataset.name}: {path!r} changed during each of {ATTEMPTS} attempts to copy it.",
        dataset=dataset.name,
        source=source.name,
        path=path,
        found="a file that changes while it is copied",
        allowed="files that stay as they are during a refresh",
        attempts=ATTEMPTS,
    )


def copy_file(
    source: Source, file: SourceFile, target: Path, progress: Callable[[int], None]
) -> SourceFile:
    """Copy the very file that was found to the new file ``target``; give it with its sha256.

    After a failure ``target`` is gone and ``progress`` has taken back what it was told.

    Raises:
        SourceChangedError: it is not, or not to the end, the file that was found.
        SourceError: it cannot be read.
        NoRoomError: the copy does not fit.
        RefreshError: the copy cannot be written.
    """
    if fault_of(file.path):
        raise SourceError(f"{fault_of(file.path)} below a source.", source=source.name)
    with ExitStack() as undo:
        sha256 = _Copy(source, file, target, progress).make(undo)
        if file.sha256 not in {"", sha256}:
            raise _unlike_published(source, file)
        undo.pop_all()
    return replace(file, sha256=sha256)


def _unlike_published(source: Source, file: SourceFile) -> SourceError:
    return SourceError(
        f"{file.path!r} of {source.name} is not what its manifest describes: another sha256.",
        source=source.name,
        path=file.path,
        found="a file with another sha256",
        allowed="files that are as their manifest describes them",
    )


def room_for(folder: Path, bytes_needed: int) -> None:
    """Refuse when the file system of ``folder`` has less room than ``bytes_needed``.

    Raises:
        NoRoomError: with both figures.
    """
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if free < bytes_needed:
        raise NoRoomError(
            f"The copies need {bytes_needed:,} bytes; the state directory has {free:,} left.",
            bytes_needed=bytes_needed,
            bytes_free=free,
        )


def _copy_all(
    source: Source, dataset: Dataset, target: Path, progress: Callable[[int], None]
) -> tuple[SourceFile, ...]:
    found = find_files(source, dataset)
    with _written():
        target.mkdir(mode=0o700, exist_ok=True)
        room_for(target, sum(file.bytes for file in found))
    copied = []
    with ExitStack() as undo:
        for index, file in enumerate(found):
            copy = target / f"{index:04d}.parquet"
            copied.append(copy_file(source, file, copy, progress))
            undo.callback(copy.unlink, missing_ok=True)
            undo.callback(progress, -file.bytes)
        undo.pop_all()
    return tuple(copied)


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy of one file."""

    source: Source
    file: SourceFile
    target: Path
    progress: Callable[[int], None]

    def make(self, undo: ExitStack) -> str:
        """Copy and give the sha256; ``undo`` learns how to take the copy back."""
        with self._opened() as descriptor:
            device = self._checked(descriptor)
            with _written(), self._new(undo) as copy:
                sha256 = self._hashed(descriptor, copy, undo)
            self._checked(descriptor)
        with self._opened() as again:
            if self._checked(again) != device:
                raise self._changed()
        return sha256

    def _hashed(self, descriptor: int, copy: BinaryIO, undo: ExitStack) -> str:
        digest = hashlib.sha256()
        left = self.file.bytes
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while piece := self._read(descriptor):
            left -= len(piece)
            if left < 0:
                break
            copy.write(piece)
            digest.update(piece)
            self.progress(len(piece))
            undo.callback(self.progress, -len(piece))
        if left:
            raise self._changed()
        return digest.hexdigest()

    def _read(self, descriptor: int) -> bytes:
        with self._source_errors():
            return os.read(descriptor, _PIECE)

    def _checked(self, descriptor: int) -> int:
        """Refuse a descriptor of anything but the file that was found; give its device."""
        seen = os.fstat(descriptor)
        same = replace(self.file, sha256="", rows=None) == SourceFile.from_stat(
            self.file.path, seen
        )
        if not same or not stat.S_ISREG(seen.st_mode):
            raise self._changed()
        return seen.st_dev

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with ExitStack() as opened:
            with self._source_errors():
                parts = self.file.path.split("/")
                descriptor = opened.enter_context(open_file(self.source.location, parts))
            yield descriptor

    @contextmanager
    def _new(self, undo: ExitStack) -> Iterator[BinaryIO]:
        # An earlier attempt that was killed may have left a file there.
        self.target.unlink(missing_ok=True)
        descriptor = os.open(self.target, _NEW, 0o600)
        undo.callback(self.target.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as copy:
            yield copy

    @contextmanager
    def _source_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _GONE:
                raise self._changed() from error
            raise SourceError(
                f"{self.file.path!r} of {self.source.name} is not readable: {reason_of(error)}.",
                source=self.source.name,
                path=self.file.path,
                found=f"a file that is not readable ({reason_of(error)})",
                allowed="files that the service may read",
            ) from error

    def _changed(self) -> SourceChangedError:
        return SourceChangedError(
            f"{self.file.path!r} of {self.source.name} changed while it was copied.",
            source=self.source.name,
            path=self.file.path,
            found="a file that changed while it was copied",
            allowed="files that stay as they are during a refresh",
        )


@contextmanager
def _written() -> Iterator[None]:
    """Turn what the system says about a copy into a refusal without its own paths."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise NoRoomError("The state directory ran out of room for the copies.") from error
        raise RefreshError(f"A copy cannot be written: {reason_of(error)}.") from error
