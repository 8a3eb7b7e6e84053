"""What a producer says it published: its own manifest of files and hashes. Reads no table."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.dataset import Dataset, Source
from app.errors import SourceError
from app.refresh.folders import open_file, reason_of

_LARGEST = 4 * 1024 * 1024
_SHA256 = re.compile("[0-9a-f]{64}")
_FORM = 'JSON {"files": [{"path": …, "sha256": 64 hexadecimal digits, "rows": optional}]}'


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file as its producer published it; ``path`` is relative to the source's location."""

    path: str
    sha256: str
    rows: int | None = None


def read_published(source: Source, dataset: Dataset) -> tuple[PublishedFile, ...]:
    """Read the manifest that a dataset names, in its own order.

    Raises:
        SourceError: it cannot be read, or does not have the form.
    """
    path = dataset.manifest or ""
    try:
        with open_file(source.location, path.split("/")) as descriptor:
            content = os.read(descriptor, _LARGEST + 1)
    except (OSError, ValueError) as error:
        raise _refusal(dataset, f"is not readable ({reason_of(error)})") from error
    if len(content) > _LARGEST:
        raise _refusal(dataset, f"is larger than {_LARGEST:,} bytes")
    try:
        listed = json.loads(content)["files"]
        files = tuple(_file(each) for each in listed)
    except (ValueError, KeyError, TypeError) as error:
        raise _refusal(dataset, "does not have the form of a manifest") from error
    if not files or len({file.path for file in files}) < len(files):
        raise _refusal(dataset, "lists no file, or one file twice")
    return files


def _file(fact: Mapping[str, object]) -> PublishedFile:
    path, sha256, rows = fact["path"], fact["sha256"], fact.get("rows")
    if not isinstance(path, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(path)
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 0):
        raise ValueError(rows)
    return PublishedFile(path, sha256, rows)


def _refusal(dataset: Dataset, found: str) -> SourceError:
    return SourceError(
        f"{dataset.name}: the manifest {dataset.manifest!r} {found}; allowed: {_FORM}.",
        dataset=dataset.name,
        source=dataset.source,
        path=dataset.manifest,
        found=f"a manifest that {found}",
        allowed=_FORM,
    )
