"""What ``datasets.yaml`` declares: sources, datasets, columns, lineage. Values; reads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import inf
from pathlib import Path

FRESHNESS = ("fresh", "warn", "error")
# The access of what everybody may read; any other is the scope that it takes.
PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Source:
    """Where gold tables come from; ``location`` is an absolute folder."""

    name: str
    location: Path
    description: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """One value for every row, where a table has no column for it."""

    value: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column: as declared at first, completed by what its Table holds later.

    ``type`` is a name of ``app.query.types``, ``physical`` the engine's own type,
    ``nan`` tells whether NaN stands in it, and ``full`` that neither NaN nor null does.
    ``stored`` is its name in the Table, or the Constant that stands in for it; it
    differs from ``name`` only in a Dataset that was renamed.
    """

    name: str
    type: str = ""
    description: str = ""
    unit: str = ""
    required: bool = False
    unique: bool = False
    minimum: object = None
    maximum: object = None
    enum: tuple[object, ...] = ()
    filterable: bool = True
    physical: str = ""
    nan: bool = False
    full: bool = False
    stored: str | Constant = ""

    @property
    def in_table(self) -> str | Constant:
        """Give its name in the Table also where it has not been renamed, or its Constant."""
        return self.stored or self.name


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where each row says what produced it: a column's name, or a Constant."""

    dataset_id: str | Constant
    model_version: str | Constant
    generated_at: str | Constant
    source: str | Constant | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Give the names of the columns among the fields, in the order of the fields."""
        fields = (self.dataset_id, self.model_version, self.generated_at, self.source)
        return tuple(each for each in fields if isinstance(each, str))


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old ``max(generated_at)`` may be before the dataset is said to be late."""

    warn_after: timedelta | None = None
    error_after: timedelta | None = None

    def deadlines(self, newest: datetime | None) -> "Deadlines":
        """Give those of a Table; one without rows has missed them all."""
        return Deadlines(_deadline(newest, self.warn_after), _deadline(newest, self.error_after))


def _deadline(newest: datetime | None, after: timedelta | None) -> float:
    if after is None:
        return inf
    # A sum of moments would not go beyond the year 9999.
    return -inf if newest is None else newest.timestamp() + after.total_seconds()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Until when a Table is not late; in seconds of the clock."""

    warn: float
    error: float

    def status(self, now: float) -> tuple[str, float]:
        """Give ``fresh``, ``warn`` or ``error``, and until when that holds."""
        if now > self.error:
            return "error", inf
        if now > self.warn:
            return "warn", self.error
        return "fresh", min(self.warn, self.error)


@dataclass(frozen=True, slots=True)
class Rollup:
    """Figures to be worked out beforehand for each group of ``by``; written as ``sum:forecast``."""

    by: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """What makes questions cheap and changes no answer, by the names of its tables and files.

    An order is columns, ``-`` before those that fall. In a Generation only what its Table has.
    """

    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rollups: Mapping[str, Rollup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """One entry of ``datasets.yaml``.

    Its files are what ``path`` matches, or what the producer's ``manifest`` lists. In a
    Registry ``columns`` holds what was declared; in a Generation every column that
    is served. Compared by identity, so that it can be a key of caches.
    """

    name: str
    source: str
    path: str
    keys: tuple[str, ...]
    lineage: Lineage
    manifest: str | None = None
    title: str = ""
    description: str = ""
    owner: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    status: str = "active"
    deprecated_since: date | None = None
    hive_partitioning: bool = False
    time: str | None = None
    columns: tuple[Column, ...] = ()
    freshness: Freshness = field(default_factory=Freshness)
    on_failure: str = "block"
    max_row_loss: float = 1
    max_age: int = 60
    endpoints: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    generic: bool = True
    strict: bool = False
    access: str = PUBLIC
    prepare: Prepare = field(default_factory=Prepare)

    def column(self, name: str) -> Column | None:
        """Give the column of that name, if there is one."""
        return _columns(self).get(name)

    def stored_name(self, name: str) -> str:
        """Give the name that the Table has for a column; one of a Constant keeps its own."""
        column = self.column(name)
        known = None if column is None else column.stored
        return known if known and isinstance(known, str) else name

    def has_column(self, name: str) -> bool:
        """Tell whether a column of that name is served."""
        return self.column(name) is not None

    def renamed(self, names: Mapping[str, str | Constant]) -> "Dataset":
        """Give the same dataset with the columns under the names an endpoint knows them by.

        ``names`` says for each new name which column, or which Constant, it stands for.
        Columns that are not mentioned keep theirs, unless a new name takes it.
        """
        taken = {old: new for new, old in names.items() if isinstance(old, str)}
        kept = [each for each in self.columns if each.name not in {*names, *taken}]
        given = [self._given(new, old) for new, old in names.items()]
        lineage = self.lineage
        return replace(
            self,
            columns=(*(each for each in given if each is not None), *kept),
            keys=tuple(taken.get(key, key) for key in self.keys),
            time=taken.get(self.time, self.time) if self.time else None,
            lineage=Lineage(
                _renamed(lineage.dataset_id, taken),
                _renamed(lineage.model_version, taken),
                _renamed(lineage.generated_at, taken),
                None if lineage.source is None else _renamed(lineage.source, taken),
            ),
        )

    def _given(self, new: str, old: str | Constant) -> Column | None:
        if isinstance(old, Constant):
            return Column(new, type="string", physical="VARCHAR", stored=old, required=True)
        column = self.column(old)
        return None if column is None else replace(column, name=new)


@lru_cache(maxsize=512)
def _columns(dataset: Dataset) -> Mapping[str, Column]:
    """Give the columns by name: a question asks for a dozen, and a table may have hundreds."""
    return {column.name: column for column in dataset.columns}


def _renamed(part: str | Constant, taken: Mapping[str, str]) -> str | Constant:
    return taken.get(part, part) if isinstance(part, str) else part


def moment(text: str) -> datetime:
    """Read an ISO 8601 timestamp as UTC; without a zone it is UTC already.

    Raises:
        ValueError: the text is no timestamp.
    """
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
