"""Rows: what a Statement gives back, and the Stamp that says what produced them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import repeat, starmap
from operator import attrgetter

import orjson

from app.dataset import Column
from app.values import per_request

_NAME = attrgetter("name")
# For fewer rows no function is made.
_FEW = 16


class JsonText(str):
    """The text of a JSON column: shown as the JSON it is."""

    __slots__ = ()


class WideInteger(int):
    """An integer that may not fit 64 bits: shown by all its digits."""

    __slots__ = ()


class NanoTime(str):
    """A timestamp in UTC by its text, where microseconds are too coarse."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """The lineage of what was answered: that of its newest row, and all model versions in it.

    The newest row has the greatest ``generated_at``, then ``model_version``, then
    ``dataset_id``. All are None where no row took part.
    """

    dataset_id: str | None = None
    model_version: str | None = None
    generated_at: str | None = None
    model_versions: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, newest: tuple[object, object, object] | None, versions: Iterable[object]
    ) -> "Stamp":
        """Make one of ``generated_at, model_version, dataset_id`` as the engine gives them."""
        if newest is None:
            return NO_STAMP
        generated_at, model_version, dataset_id = newest
        if isinstance(generated_at, datetime):
            generated_at = _in_utc(generated_at)
        return cls(
            str(dataset_id),
            str(model_version),
            str(generated_at),
            tuple(sorted(set(map(str, versions)))),
        )

    @classmethod
    def of_columns(
        cls,
        dataset_id: Sequence[object],
        model_version: Sequence[object],
        generated_at: Sequence[object],
    ) -> "Stamp":
        """Make that of rows by their cells in these columns."""
        newest = max(zip(generated_at, model_version, dataset_id, strict=True), default=None)
        return cls.of(newest, model_version)

    @classmethod
    def of_versions(cls, versions: Iterable[Mapping[str, object]]) -> "Stamp":
        """Make that of all rows of these ``versions`` of a Table."""
        stamp = NO_STAMP
        for each in versions:
            newest = (each["last_generated_at"], each["model_version"], each["dataset_id"])
            stamp = stamp.joined(cls.of(newest, [each["model_version"]]))
        return stamp

    def joined(self, other: "Stamp") -> "Stamp":
        """Give the Stamp of both together."""
        if self is NO_STAMP:
            return other
        newer = max(self, other, key=lambda each: each._order())  # noqa: SLF001 - its own kind
        versions = {*self.model_versions, *other.model_versions}
        return Stamp(
            newer.dataset_id, newer.model_version, newer.generated_at, tuple(sorted(versions))
        )

    def _order(self) -> tuple[str, str, str]:
        # Without its Z a whole second goes before its fractions.
        generated_at = (self.generated_at or "").removesuffix("Z")
        return (generated_at, self.model_version or "", self.dataset_id or "")


NO_STAMP = Stamp()


@per_request
class Rows:
    """The rows of an answer: named, typed columns, and cells row by row.

    ``more`` tells whether the limit of the Query left rows out.
    """

    columns: tuple[Column, ...]
    cells: Sequence[tuple[object, ...]]
    stamp: Stamp
    more: bool = False

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        names = self._names
        if not {len(names)}.issuperset(map(len, self.cells)):
            raise ValueError(f"each row needs {len(names)} cells, one for each column")
        if len(self.cells) < _FEW:
            return map(dict, map(zip, repeat(names), self.cells))
        return starmap(_record(names), self.cells)

    def only(self, names: Sequence[str]) -> "Rows":
        """Give the same rows with these columns alone, in this order."""
        places = [self._names.index(name) for name in names]
        if places == list(range(len(self.columns))):
            return self
        cells = [tuple(row[place] for place in places) for row in self.cells]
        return Rows(tuple(self.columns[place] for place in places), cells, self.stamp, self.more)

    def first(self) -> Mapping[str, object] | None:
        """Give the first row, if there is one."""
        return dict(zip(self._names, self.cells[0], strict=True)) if self.cells else None

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(map(_NAME, self.columns))


# All rows of a producer's run say the same.
@lru_cache(maxsize=1024)
def _in_utc(moment: datetime) -> str:
    # As a body has the same moment; ``isoformat`` takes several times as long.
    return orjson.dumps(moment, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)[1:-1].decode()


@lru_cache(maxsize=512)
def _record(names: tuple[str, ...]) -> Callable[..., Mapping[str, object]]:
    """Make a function of the cells of a row: a mapping of pairs takes twice as long for each."""
    cells = [f"cell_{place}" for place in range(len(names))]
    pairs = [f"{name!r}: {cell}" for name, cell in zip(names, cells, strict=True)]
    made: Callable[..., Mapping[str, object]] = eval(  # noqa: S307 - of names as Python quotes them
        f"lambda {', '.join(cells)}: {{{', '.join(pairs)}}}"
    )
    return made
