"""Opens what lies below a folder, one component at a time. Never follows a symlink, never waits."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe without it waits for a writer, for ever if none comes.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISREG, "a regular file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symlink"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def kind_of(mode: int) -> str:
    """Say in words what a file mode stands for, with its article."""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "a device")


def reason_of(error: OSError | ValueError) -> str:
    """Say why the system refused, without the path that its own text carries."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else "not a path"


@contextmanager
def open_location(location: Path) -> Iterator[int]:
    """Open the folder a source names; this one, and only this one, may be a symlink."""
    with _opened(location, _FOLDER, None) as folder:
        yield folder


@contextmanager
def open_folder(name: str, within: int) -> Iterator[int]:
    """Open the folder called ``name`` in the open folder ``within``."""
    with _opened(name, _FOLDER | os.O_NOFOLLOW, within) as folder:
        yield folder


@contextmanager
def open_file(location: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open the file at ``parts`` below ``location`` for reading; what it is, ``fstat`` tells.

    Raises:
        OSError: a component is missing, a symlink, or not to be opened.
    """
    with ExitStack() as opened:
        within = opened.enter_context(open_location(location))
        for part in parts[:-1]:
            within = opened.enter_context(open_folder(part, within))
        yield opened.enter_context(_opened(parts[-1], _FILE, within))


def points_at_folder(name: str, within: int) -> bool:
    """Tell whether the symlink ``name`` leads to a folder, wherever that is; nothing is opened."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=within).st_mode)
    except OSError:
        return False


@contextmanager
def _opened(name: str | Path, flags: int, within: int | None) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
