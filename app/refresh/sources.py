"""Finds the files of a dataset below its source. Never leaves the source and reads no content."""

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, NoReturn

from app.dataset import Dataset, Source
from app.errors import SourceError
from app.refresh.folders import kind_of, open_folder, open_location, points_at_folder, reason_of
from app.refresh.published import PublishedFile, read_published

MOST_FILES = 1_000
_MOST_ENTRIES = 100_000
_MOST_DEPTH = 32
_MOST_COMPARED = 2_000
_LONGEST_PART = 255
_FILES = "1 to 1,000 regular files below the source, reached without symlinks"
_PATH = "a relative path of at most 32 parts of 1 to 255 bytes, without '..', '.', NUL, '**' last"


class SourceChangedError(SourceError):
    """A source file changed between being found and being copied whole; trying again may help."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a dataset as it was seen.

    ``sha256`` is what its producer says, or empty until it was copied; ``rows`` is what its
    producer says.

    ``path`` is relative to the source's location, with ``/`` between its parts.
    """

    path: str
    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str = ""
    rows: int | None = None

    def as_fact(self) -> dict[str, object]:
        """Give it in the form that manifests keep."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Mapping[str, Any]) -> "SourceFile":
        """Read what ``as_fact`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is no such fact.
        """
        return cls(
            path=str(fact["path"]),
            bytes=int(fact["bytes"]),
            mtime_ns=int(fact["mtime_ns"]),
            ctime_ns=int(fact["ctime_ns"]),
            inode=int(fact["inode"]),
            sha256=str(fact["sha256"]),
            rows=fact.get("rows"),
        )

    @classmethod
    def from_stat(cls, path: str, seen: os.stat_result) -> "SourceFile":
        """Give the file at ``path`` as ``seen``."""
        return cls(path, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def find_files(source: Source, dataset: Dataset) -> tuple[SourceFile, ...]:
    """Give the files that the dataset's path matches, or that its manifest lists, by path.

    ``*``, ``?`` and ``[…]`` match within one part and never a leading dot; ``**`` stands for
    any number of folders. What matches must be a regular file: anything else is refused, not
    passed over.

    Raises:
        SourceError: nothing or too much matches, a part is a symlink, or the path is not allowed.
    """
    if dataset.manifest is not None:
        published = read_published(source, dataset)
        if len(published) > MOST_FILES:
            found = f"a manifest of {len(published):,} files"
            _Search(dataset, iter(())).refuse(dataset.manifest, found)
        return tuple(_published(source, dataset, file) for file in published)
    search = _Search(dataset, iter(range(_MOST_ENTRIES)))
    fault = fault_of(dataset.path)
    if fault:
        search.refuse("" if dataset.path.startswith("/") else dataset.path, fault, _PATH)
    with search.meet_os_errors(""), open_location(source.location) as location:
        search.walk(location, "", tuple(dataset.path.split("/")))
    if not search.found:
        search.refuse(dataset.path, "no file")
    return tuple(search.found[path] for path in sorted(search.found))


def _published(source: Source, dataset: Dataset, file: PublishedFile) -> SourceFile:
    """Give a file that a manifest lists, as it is seen and as its producer describes it."""
    literal = "".join(f"[{sign}]" if sign in "*?[" else sign for sign in file.path)
    (seen,) = find_files(source, replace(dataset, path=literal, manifest=None))
    return replace(seen, sha256=file.sha256, rows=file.rows)


def fault_of(path: str) -> str:
    """Say what makes ``path`` one that may not stand below a source; empty if nothing does."""
    parts = path.split("/")
    if path.startswith("/"):
        return "an absolute path"
    if ".." in parts:
        return "a way out by '..'"
    if len(parts) > _MOST_DEPTH:
        return f"a path of more than {_MOST_DEPTH} parts"
    if parts[-1] == "**":
        return "'**' without a file after it"
    if not all(map(_is_allowed, parts)):
        return "a part that is empty, '.', too long, or holds NUL"
    return ""


def _is_allowed(part: str) -> bool:
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        return False
    return 0 < length <= _LONGEST_PART and part not in {".", ".."} and "\0" not in part


@dataclass(frozen=True, slots=True)
class _Search:
    """One expansion of one dataset's path; ``budget`` bounds how many names it may look at."""

    dataset: Dataset
    budget: Iterator[int]
    found: dict[str, SourceFile] = field(default_factory=dict)

    def walk(self, folder: int, above: str, parts: tuple[str, ...]) -> None:
        """Add what ``parts`` match in the open ``folder``, whose path is ``above``."""
        part, rest = parts[0], parts[1:]
        if not rest:
            self._add_files(folder, above, part)
            return
        if part == "**":
            self.walk(folder, above, rest)
            part, rest = "*", parts
        for name in self._folders(folder, above, part):
            with self.meet_os_errors(above + name), open_folder(name, folder) as below:
                self.walk(below, f"{above}{name}/", rest)

    def refuse(
        self, path: str, found: str, allowed: str = _FILES, nearest: str | None = None
    ) -> NoReturn:
        """Refuse the dataset's path because ``found`` stands at ``path``, part of it or a match."""
        where = f" at {_shown(path)!r}" if path else ""
        hint = f"did you mean {nearest!r}?" if nearest else f"allowed: {allowed}."
        refusal = SourceError(
            f"{self.dataset.name}: {found}{where}; {hint}",
            dataset=self.dataset.name,
            source=self.dataset.source,
            found=found,
            allowed=allowed,
        )
        if path:
            refusal.facts["path"] = _shown(path)
        if nearest:
            refusal.facts["nearest"] = nearest
        raise refusal

    @contextmanager
    def meet_os_errors(self, path: str) -> Iterator[None]:
        """Turn what the system says about ``path`` into a refusal without its own paths.

        An empty ``path`` is the location of the source.
        """
        try:
            yield
        except (OSError, ValueError) as error:
            place = "nothing readable" if path else "a location that is not readable"
            self.refuse(path, f"{place} ({reason_of(error)})")

    def _add_files(self, folder: int, above: str, pattern: str) -> None:
        for name, seen in self._matches(folder, above, pattern):
            if not stat.S_ISREG(seen.st_mode):
                self.refuse(above + name, kind_of(seen.st_mode))
            self.found[above + name] = SourceFile.from_stat(above + name, seen)
            if len(self.found) > MOST_FILES:
                self.refuse(self.dataset.path, f"more than {MOST_FILES:,} files")

    def _folders(self, folder: int, above: str, pattern: str) -> list[str]:
        names = []
        for name, seen in self._matches(folder, above, pattern):
            if stat.S_ISDIR(seen.st_mode):
                names.append(name)
            elif self._is_one_file() or (
                stat.S_ISLNK(seen.st_mode) and points_at_folder(name, folder)
            ):
                self.refuse(above + name, kind_of(seen.st_mode))
        if names and above.count("/") >= _MOST_DEPTH:
            self.refuse(above, f"folders nested deeper than {_MOST_DEPTH}")
        return names

    def _matches(self, folder: int, above: str, pattern: str) -> list[tuple[str, os.stat_result]]:
        names = self._listed(folder, pattern) if _is_glob(pattern) else [pattern]
        matches = []
        for name in names:
            if not _is_allowed(name):
                self.refuse(above + name, "a name that is not UTF-8")
            try:
                matches.append((name, os.stat(name, dir_fd=folder, follow_symlinks=False)))
            except FileNotFoundError:
                # Under a glob a folder may lack the rest, and a file may go while we look.
                if self._is_one_file():
                    self.refuse(above + name, "no file", nearest=_nearest(folder, above, name))
        return matches

    def _listed(self, folder: int, pattern: str) -> list[str]:
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if next(self.budget, None) is None:
                    self.refuse(self.dataset.path, f"more than {_MOST_ENTRIES:,} names to look at")
                hidden = entry.name.startswith(".") and not pattern.startswith(".")
                if not hidden and fnmatchcase(entry.name, pattern):
                    names.append(entry.name)
        return sorted(names)

    def _is_one_file(self) -> bool:
        return not _is_glob(self.dataset.path)


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _nearest(folder: int, above: str, name: str) -> str | None:
    with os.scandir(folder) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MOST_COMPARED), strict=False)]
    near = difflib.get_close_matches(name, filter(_is_allowed, names), n=1)
    return above + near[0] if near else None


def _shown(path: str) -> str:
    # A name from disk, or a declared one, may hold what is no text and could not be sent.
    text = path.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_PART else text[:_LONGEST_PART] + "…"
