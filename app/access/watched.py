"""A file that is read again whenever it changes. Says neither where it is nor what is in it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()

MOST_BYTES = 1 << 20

Content = TypeVar("Content")
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Reading(Generic[Content]):
    """One reading of the file; ``stamp`` is what the file looked like."""

    content: Content
    stamp: _Stamp | None = None
    problem: str = ""


class Watched(Generic[Content]):
    """What ``parse`` makes of a file's bytes, and ``missing`` while there is no file.

    A file that ``parse`` refuses with a ValueError changes nothing: the last good reading, if
    there was one, goes on to hold, and ``problem`` says what is wrong. Of a file that is too
    large ``parse`` gets more than ``MOST_BYTES``.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], Content], missing: Content) -> None:
        self._path = path
        self._parse = parse
        self._missing = missing
        self._reading = _Reading(missing)

    @property
    def problem(self) -> str:
        """Say what is wrong with the file, without its path; empty if nothing."""
        return self._current().problem

    @property
    def content(self) -> Content:
        """Give what the file holds now."""
        return self._current().content

    def _current(self) -> _Reading[Content]:
        held = self._reading
        try:
            if _stamp(self._path.stat()) != held.stamp:
                self._reading = held = self._read_again(held)
        except (FileNotFoundError, NotADirectoryError):
            self._reading = held = _Reading(self._missing)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "unknown reason"
            self._reading = held = self._wrong(held, None, f"not readable: {reason}")
        return held

    def _read_again(self, held: _Reading[Content]) -> _Reading[Content]:
        with self._path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            content = file.read(MOST_BYTES + 1)
        try:
            return _Reading(self._parse(content), stamp)
        except ValueError as error:
            return self._wrong(held, stamp, str(error))

    def _wrong(
        self, held: _Reading[Content], stamp: _Stamp | None, problem: str
    ) -> _Reading[Content]:
        """Go on with what was read before, and tell why once."""
        if problem != held.problem:
            log.warning("file not taken", file=self._path.name, reason=problem)
        return replace(held, stamp=stamp, problem=problem)


def _stamp(seen: os.stat_result) -> _Stamp:
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
