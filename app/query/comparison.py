"""A Comparison: rows of one Dataset against others of it, by key; and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.query.query import Query

Side = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows that fit ``a`` against those that fit ``b``; only their dataset and where count.

    ``keys`` tell the rows of each side apart; ``columns`` are what is compared. Both have one
    type on both sides. ``generation`` is the kept one that ``a`` is asked of; None is the one
    that answers. ``limit`` and ``offset`` are of the rows shown; without a limit none are.
    """

    a: Query
    b: Query
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    generation: int | None = None
    limit: int = 100
    offset: int = 0

    @property
    def apart(self) -> bool:
        """Tell whether each side has a Table of its own."""
        return self.a.dataset is not self.b.dataset


@dataclass(frozen=True, slots=True)
class Difference:
    """How one column differs over the keys on both sides.

    ``mean`` and ``most`` are of b - a, signed and absolute, where both are known and finite;
    None where they never are, and for a column that is no number.
    """

    different: int
    mean: object = None
    most: object = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What a Comparison found: counts of keys, the Difference of each column, and some rows.

    ``rows`` holds what differs or is on one side only, ordered by key: the keys, and each side's
    compared columns, or None. ``more`` tells whether the limit left some out.
    """

    only_a: int
    only_b: int
    different: int
    same: int
    columns: Mapping[str, Difference]
    rows: Sequence[tuple[Mapping[str, object], Side | None, Side | None]] = ()
    more: bool = False
