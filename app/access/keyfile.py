"""Reads and writes the file of keys. Writes whole files only, one writer at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.access.keys import KeyRecord
from app.access.watched import MOST_BYTES


class KeyFileError(ValueError):
    """The keys file is there but does not read as one; the text says where."""


def read_keys(path: Path) -> tuple[KeyRecord, ...]:
    """Read the keys in the order they were made; a missing file has none.

    Raises:
        KeyFileError: the file is broken.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return parse_keys(file.read(MOST_BYTES + 1))
    except FileNotFoundError:
        return ()


def parse_keys(content: bytes) -> tuple[KeyRecord, ...]:
    """Read the content of a keys file.

    Raises:
        KeyFileError: it is broken.
    """
    if len(content) > MOST_BYTES:
        raise KeyFileError("larger than 1 MiB")
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        raise KeyFileError("not JSON") from None
    if not isinstance(read, dict) or not isinstance(read.get("keys"), list):
        raise KeyFileError("no list 'keys'")
    records = tuple(_record(index, fact) for index, fact in enumerate(read["keys"]))
    if len({record.id for record in records}) < len(records):
        raise KeyFileError("two keys with the same id")
    return records


def keep_key(path: Path, record: KeyRecord) -> None:
    """Add a key to the file; makes the file, and its folder, if there is none.

    Raises:
        KeyFileError: the file is broken, or holds a key of that id.
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path):
        records = read_keys(path)
        if record.id in {each.id for each in records}:
            raise KeyFileError("two keys with the same id")
        _write(path, (*records, record))


def revoke_key(path: Path, key_id: str) -> bool:
    """Have a key of the file valid no longer; tell whether it is there.

    Its record stays, to tell whose it was. One that is revoked already stays as it is.

    Raises:
        KeyFileError: the file is broken.
        OSError: it cannot be written.
    """
    if not path.exists():
        return False
    now = datetime.now(UTC).replace(microsecond=0)
    with _alone(path):
        records = {record.id: record for record in read_keys(path)}
        record = records.get(key_id)
        if record is not None and record.revoked_at is None:
            _write(path, tuple({**records, key_id: replace(record, revoked_at=now)}.values()))
    return record is not None


def drop_key(path: Path, key_id: str) -> bool:
    """Take a key out of the file; tell whether it was there.

    Raises:
        KeyFileError: the file is broken.
        OSError: it cannot be written.
    """
    if not path.exists():
        return False
    with _alone(path):
        records = read_keys(path)
        left = tuple(each for each in records if each.id != key_id)
        if len(left) < len(records):
            _write(path, left)
    return len(left) < len(records)


def _record(index: int, fact: object) -> KeyRecord:
    if not isinstance(fact, dict):
        raise KeyFileError(f"keys[{index}]: not an object")
    try:
        return KeyRecord.from_fact(fact)
    except KeyError as error:
        raise KeyFileError(f"keys[{index}]: no member {error}") from None
    except (TypeError, ValueError):
        raise KeyFileError(f"keys[{index}]: a member is unknown or does not fit") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # A file of its own: the lock on a file that is replaced would be on the old one.
    beside = path.with_name(f"{path.name}.lock")
    lock = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, records: tuple[KeyRecord, ...]) -> None:
    text = json.dumps({"keys": [record.as_fact() for record in records]}, indent=2)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # Left by a writer that was killed; the lock is ours.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
