"""Rollups: parts worked out for small groups at refresh, put together when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from app.dataset import Column, Dataset
from app.query.cells import STORED, stored, table_of
from app.query.measures import FUNCTIONS, cells, figure, finished
from app.query.parts import PARTS, Expression, call, nonzero, ratio
from app.query.query import Measure, Query

# The different values of a column as a set: a bit for each, by the number that it was given.
SET = "values"
NUMBERS = "numbers"
_MERGED_BY = {"min": "min", "max": "max", SET: "bit_or"}
# What is true of the groups that a rollup is made of is known without any part.
_OF_GROUPS = ("min", "max", "count_distinct")


@dataclass(frozen=True, slots=True)
class Merging:
    """How a figure is made: the parts that it needs, and what becomes of them."""

    parts: tuple[str, ...]
    finish: Callable[..., Expression]


def _whole(number: Expression) -> Expression:
    """Give a count, which is nought where there are no groups."""
    return exp.cast(call("coalesce", number, exp.Literal.number(0)), "bigint")


def _mean(total: Expression, count: Expression) -> Expression:
    return exp.Div(this=exp.cast(total, "double"), expression=nonzero(count))


MERGINGS: Mapping[str, Merging] = {
    "count": Merging(("rows",), _whole),
    "sum": Merging(("sum",), lambda total: total),
    "avg": Merging(("sum", "known"), _mean),
    "min": Merging(("min",), lambda least: least),
    "max": Merging(("max",), lambda most: most),
    "count_distinct": Merging((SET,), lambda bits: _whole(call("bit_count", bits))),
    "mape": Merging(("shares", "shared"), _mean),
    "wape": Merging(("errors", "sizes"), ratio),
    "bias": Merging(("excess", "actuals"), ratio),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One figure of each group; ``columns`` as the Table names them."""

    kind: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolledUp:
    """A rollup as it is asked: its table, its groups in their order, and how each part is called.

    The groups are told apart by the columns of ``by`` and by dataset_id and model version.
    """

    table: str
    groups: tuple[str, ...]
    parts: Mapping[Part, str]

    def has(self, measure: Measure, columns: Sequence[Column]) -> bool:
        """Tell whether a measure can be made of what is here."""
        return self.of_groups(measure, columns) or all(
            part in self.parts for part in parts_of(measure.function, stored_names(columns))
        )

    def figure(self, measure: Measure, columns: Sequence[Column]) -> tuple[Column, Expression]:
        """Give what a measure is answered as, and its expression, as ``figure`` does of rows."""
        if self.of_groups(measure, columns):
            return figure(measure, columns)
        needed = parts_of(measure.function, stored_names(columns))
        merged = [
            call(
                _MERGED_BY.get(part.kind, "sum"),
                exp.column(self.parts[part], table=STORED, quoted=True),
            )
            for part in needed
        ]
        return finished(measure, columns, MERGINGS[measure.function].finish(*merged))

    def of_groups(self, measure: Measure, columns: Sequence[Column]) -> bool:
        """Tell whether the groups alone tell a measure."""
        return measure.function in _OF_GROUPS and self.knows(columns)

    def knows(self, columns: Sequence[Column]) -> bool:
        """Tell whether a group has one value in each of these columns."""
        return set(self.groups).issuperset(stored_names(columns))


def read_measure(text: str) -> Measure:
    """Read ``count``, ``function:column`` or, of a forecast, ``function:forecast:actual``."""
    function, _, rest = text.partition(":")
    most = FUNCTIONS[function].columns if function in FUNCTIONS else 0
    return Measure(text, function, tuple(rest.split(":", max(most, 1) - 1)) if rest else ())


def rollup_for(query: Query, *, windowed: bool) -> RolledUp | None:
    """Give the first rollup whose groups tell all that a Query asks; None where none does."""
    columns = [query.column(each.column) for each in query.conditions]
    columns += [query.column(name) for name in query.group_by]
    columns += [query.column(query.dataset.time)] if windowed and query.dataset.time else []
    asked = [
        (measure, [query.column(name) for name in measure.columns]) for measure in query.measures
    ]
    for name in query.dataset.prepare.rollups:
        rollup = rolled_up(query.dataset, name)
        if rollup.knows(columns) and all(rollup.has(*each) for each in asked):
            return rollup
    return None


def compile_rollup(dataset: Dataset, name: str, sets: Sequence[tuple[str, int]]) -> str:
    """Write what makes a rollup; ``sets`` are the columns of its sets, with their counts of values.

    The values are numbered from 0 in the tables ``numbers_0`` and so on, as ``value, number``.
    """
    rollup = rolled_up(dataset, name)
    groups = [stored(_column(dataset, name)) for name in rollup.groups]
    newest = [
        exp.alias_(call("max", stored(column)), column.name, quoted=True)
        for column in dataset.columns
        if column.name == dataset.lineage.generated_at and column.name not in rollup.groups
    ]
    places = {column: (place, count) for place, (column, count) in enumerate(sets)}
    parts = [
        exp.alias_(_made(dataset, part, places), alias, quoted=True)
        for part, alias in rollup.parts.items()
    ]
    select = exp.Select(expressions=[*groups, *newest, *parts]).from_(table_of(dataset))
    for place, (column, _) in enumerate(sets):
        same = exp.EQ(this=stored(_column(dataset, column)), expression=_number("value", place))
        numbers = exp.table_(f"{NUMBERS}_{place}", db="main", catalog="temp", quoted=True)
        select = select.join(numbers, on=same, join_type="left")
    order = (group.copy() for group in groups)
    return select.group_by(*(g.copy() for g in groups)).order_by(*order).sql(dialect=DuckDB)


def sets_of(dataset: Dataset, name: str) -> tuple[str, ...]:
    """Name the columns whose values a rollup holds as sets."""
    return tuple(part.columns[0] for part in rolled_up(dataset, name).parts if part.kind == SET)


@lru_cache(maxsize=512)
def rolled_up(dataset: Dataset, name: str) -> RolledUp:
    """Give a rollup of a dataset, by the names of its Table."""
    rollup = dataset.prepare.rollups[name]
    measures = [read_measure(text) for text in rollup.measures]
    wanted = [part for each in measures for part in parts_of(each.function, each.columns)]
    lineage = (dataset.lineage.dataset_id, dataset.lineage.model_version)
    named = [dataset.stored_name(part) for part in lineage if isinstance(part, str)]
    taken = {dataset.stored_name(column.name).casefold() for column in dataset.columns}
    free = (alias for n in range(len(taken) + len(wanted)) if (alias := f"part_{n}") not in taken)
    parts = dict(zip(dict.fromkeys(wanted), free, strict=False))
    return RolledUp(name, tuple(dict.fromkeys((*rollup.by, *named))), parts)


def parts_of(function: str, columns: Sequence[str]) -> tuple[Part, ...]:
    """Give the parts of which a measure of these columns is made."""
    merging = MERGINGS.get(function)
    # What cannot be put together has a part that no rollup has.
    kinds = ("",) if merging is None else merging.parts
    return tuple(Part(kind, () if kind == "rows" else tuple(columns)) for kind in kinds)


def stored_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Give the names that the Table has for columns; a Constant is in no Table."""
    names = (column.in_table for column in columns)
    return tuple(name for name in names if isinstance(name, str))


def _made(dataset: Dataset, part: Part, sets: Mapping[str, tuple[int, int]]) -> Expression:
    if part.kind == SET:
        place, count = sets[part.columns[0]]
        # Without values there is no number that could be too large.
        bounds = (exp.Literal.number(0), exp.Literal.number(max(count - 1, 0)))
        return call("bitstring_agg", _number("number", place), *bounds)
    columns = [_column(dataset, name) for name in part.columns]
    return PARTS[part.kind](*cells(columns))


def _number(name: str, place: int) -> exp.Column:
    return exp.column(name, table=f"{NUMBERS}_{place}", quoted=True)


def _column(dataset: Dataset, name: str) -> Column:
    column = dataset.column(name)
    if column is None:
        raise LookupError(f"dataset {dataset.name!r} has no column {name!r}")
    return column
