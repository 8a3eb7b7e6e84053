"""A Table: one dataset's content, verified, in our own file; its facts, not its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from app.dataset import Column, Dataset, Prepare, moment

Fact = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a Table's check found; an ``error`` refuses the Table, a ``warning`` is told."""

    rule: str
    message: str
    column: str | None = None
    count: int | None = None
    examples: Sequence[object] = ()
    severity: str = "error"

    def as_fact(self) -> dict[str, object]:
        """Give it as a member of a problem document."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column as the Table holds it, with its figures as JSON shows them.

    ``distinct`` is an estimate (within a few per cent).
    """

    name: str
    type: str
    physical: str
    nan: bool = False
    nulls: int = 0
    distinct: int | None = None
    min: object = None
    max: object = None


@dataclass(frozen=True, slots=True)
class Table:
    """The facts of one Table file; ``hash`` names the file and says what went into it.

    ``versions`` holds, for each dataset_id and model_version, its rows and its spans of
    ``generated_at`` and of the dataset's time. ``files`` holds what it was loaded from,
    ``findings`` the warnings of its check. ``index_bytes`` is the size of its key index, 0
    where it has none. ``orders`` holds the bytes of the index of each further order.
    ``rollups`` are Tables within this one: rows, columns and an index are all that is known.
    """

    hash: str
    rows: int
    bytes: int
    columns: tuple[TableColumn, ...]
    versions: tuple[Fact, ...] = ()
    files: tuple[Fact, ...] = ()
    findings: tuple[Fact, ...] = ()
    index_bytes: int = 0
    orders: Mapping[str, int] = field(default_factory=dict)
    rollups: Mapping[str, "Table"] = field(default_factory=dict)

    def rows_of_each(self, column: str) -> float:
        """Give about how many rows a value of that column has; all of them if nobody counted."""
        counted = (each.distinct for each in self.columns if each.name == column)
        return self.rows / (next(counted, None) or 1)

    @property
    def all_bytes(self) -> int:
        """Give the bytes of all its files."""
        rollups = sum(rollup.all_bytes for rollup in self.rollups.values())
        return self.bytes + self.index_bytes + sum(self.orders.values()) + rollups

    @property
    def model_versions(self) -> list[str]:
        """Give the model versions in it."""
        return sorted({str(each["model_version"]) for each in self.versions})

    @property
    def dataset_ids(self) -> list[str]:
        """Give the dataset_ids in it."""
        return sorted({str(each["dataset_id"]) for each in self.versions})

    @property
    def newest(self) -> datetime | None:
        """Give ``max(generated_at)``, the age of the Table's data."""
        spans = [str(each["last_generated_at"]) for each in self.versions]
        return max(map(moment, spans), default=None)

    def completed(self, dataset: Dataset) -> Dataset:
        """Give the dataset with every column that is served, and what is prepared, as it is here.

        The smallest rollup comes first.
        """
        declared = {column.name: column for column in dataset.columns}
        return replace(
            dataset,
            columns=tuple(
                replace(
                    declared.get(each.name, Column(each.name)),
                    type=each.type,
                    physical=each.physical,
                    nan=each.nan,
                    full=not each.nulls,
                    stored=each.name,
                )
                for each in self.columns
            ),
            prepare=Prepare(
                {name: dataset.prepare.orders[name] for name in self.orders},
                {
                    name: dataset.prepare.rollups[name]
                    for name in sorted(self.rollups, key=lambda name: self.rollups[name].rows)
                },
            ),
        )

    def as_fact(self) -> dict[str, object]:
        """Give it as a member of a manifest."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Mapping[str, object]) -> "Table":
        """Read it from a manifest."""
        given: dict[str, Any] = dict(fact)
        columns = tuple(TableColumn(**each) for each in given.pop("columns"))
        for name in ("versions", "files", "findings"):
            given[name] = tuple(given[name])
        rollups = {name: cls.from_fact(each) for name, each in given.pop("rollups", {}).items()}
        return cls(columns=columns, rollups=rollups, **given)


NO_TABLE = Table("", 0, 0, ())
