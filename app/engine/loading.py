"""What is to be loaded into a Table file, and the hash that names it. Opens nothing."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.dataset import Dataset
from app.table import Fact

# Raised by one whenever the same source and declaration would make another Table file.
LOADER_VERSION = 2
# One that both DuckDB 1.5 and 2.0 read and write.
STORAGE_VERSION = "v1.2.0"


@dataclass(frozen=True, slots=True)
class Loading:
    """What is to be loaded: copies of the source files, and what is known of the originals.

    ``files`` holds ``path, sha256, bytes`` of each original, in the order of ``copies``.
    """

    dataset: Dataset
    copies: Sequence[Path]
    files: Sequence[Fact]

    @property
    def hash(self) -> str:
        """Name the Table: a hash of everything that goes into its file."""
        return table_hash(self.dataset, [(str(f["path"]), str(f["sha256"])) for f in self.files])


def table_hash(dataset: Dataset, files: Sequence[tuple[str, str]]) -> str:
    """Hash what goes into a Table file: files by path and sha256, declaration, versions."""
    content = {
        "files": sorted(files),
        "declaration": _declaration(dataset),
        "loader": LOADER_VERSION,
        "storage": STORAGE_VERSION,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _declaration(dataset: Dataset) -> dict[str, object]:
    """Give the part of a dataset that decides what its Table holds, or whether it is refused."""
    told = {"description", "unit", "filterable", "physical", "nan", "stored"}
    columns = [
        {name: value for name, value in asdict(column).items() if name not in told}
        for column in dataset.columns
    ]
    lineage = {
        name: part if part is None or isinstance(part, str) else {"value": part["value"]}
        for name, part in asdict(dataset.lineage).items()
    }
    prepared = asdict(dataset.prepare)
    return {
        # Without it the Table is the one that it always was.
        **({"prepare": prepared} if any(prepared.values()) else {}),
        "keys": dataset.keys,
        "time": dataset.time,
        "lineage": lineage,
        "columns": columns,
        "strict": dataset.strict,
        "hive_partitioning": dataset.hive_partitioning,
    }
