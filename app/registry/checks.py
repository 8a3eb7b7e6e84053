"""What must hold between the keys of a registry file: names that point at others, bounds, clashes.

Works on what the schema left valid, so that one mistake is not reported twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.registry.build import age
from app.registry.mistakes import Mistake, child, quoted
from app.registry.types import has_order, read_value

OPERATORS = (
    *("eq", "ne", "in", "not_in", "gt", "gte", "lt", "lte"),
    *("contains", "icontains", "startswith", "isnull"),
)
# What figures of parts can be put together to; a median of medians says nothing.
MERGED = ("count", "sum", "avg", "min", "max", "count_distinct", "mape", "wape", "bias")

Valid = Mapping[str, Any]


def check(valid: Valid, sources: tuple[str, ...]) -> Iterator[Mistake]:
    """Give what is wrong between the keys of all datasets; ``sources`` are the declared names."""
    for name, dataset in valid.get("datasets", {}).items():
        pointer = f"/datasets/{name}"
        yield from _source(dataset, pointer, sources)
        yield from _status(dataset, pointer)
        yield from _freshness(dataset, pointer)
        yield from _roles(dataset, pointer)
        yield from _rollups(dataset.get("prepare", {}).get("rollups", ()), pointer)
        yield from _columns(dataset.get("columns", {}), child(pointer, "columns"))


def _source(dataset: Valid, pointer: str, sources: tuple[str, ...]) -> Iterator[Mistake]:
    source = dataset.get("source")
    if source is not None and source not in sources:
        message = f"no source {quoted(source)}"
        yield Mistake(message, f"{pointer}/source", source, allowed=sources, words=sources)


def _status(dataset: Valid, pointer: str) -> Iterator[Mistake]:
    if "deprecated_since" in dataset and dataset.get("status") != "deprecated":
        yield Mistake("needs 'status: deprecated'", f"{pointer}/deprecated_since")


def _freshness(dataset: Valid, pointer: str) -> Iterator[Mistake]:
    ages = [age(dataset.get("freshness", {}).get(each)) for each in ("warn_after", "error_after")]
    if ages[0] and ages[1] and ages[0] > ages[1]:
        yield Mistake("comes before warn_after", f"{pointer}/freshness/error_after")


def _roles(dataset: Valid, pointer: str) -> Iterator[Mistake]:
    columns = dataset.get("columns", {})
    moments = ("date", "timestamp")
    yield from _role(columns, dataset.get("time"), f"{pointer}/time", moments)
    made = dataset.get("lineage", {}).get("generated_at")
    if isinstance(made, str):
        yield from _role(columns, made, f"{pointer}/lineage/generated_at", moments)


def _role(
    columns: Valid, name: str | None, pointer: str, allowed: tuple[str, ...]
) -> Iterator[Mistake]:
    kind = columns.get(name or "", {}).get("type")
    if kind is not None and kind not in allowed:
        message = f"column {quoted(name)} is declared {kind}; {' or '.join(allowed)} is needed"
        yield Mistake(message, pointer, name)


def _rollups(rollups: Sequence[Valid], pointer: str) -> Iterator[Mistake]:
    for at, rollup in enumerate(rollups):
        for place, measure in enumerate(rollup.get("measures", ())):
            function = measure.partition(":")[0]
            if function not in MERGED:
                message = f"no figure {quoted(function)} can be put together of those of parts"
                where = f"{pointer}/prepare/rollups/{at}/measures/{place}"
                yield Mistake(message, where, measure, allowed=MERGED, words=MERGED)


def _columns(columns: Valid, pointer: str) -> Iterator[Mistake]:
    yield from _clashes(columns, pointer)
    for name, column in columns.items():
        yield from _values(column, child(pointer, name))


def _clashes(columns: Valid, pointer: str) -> Iterator[Mistake]:
    seen: dict[str, str] = {}
    for name in columns:
        folded = name.casefold()
        if folded in seen:
            message = f"column {quoted(name)} differs from {quoted(seen[folded])} only in case"
            yield Mistake(message, child(pointer, name), name, of_key=True)
        seen.setdefault(folded, name)
        base, split, operator = name.rpartition("__")
        if split and operator in OPERATORS and base in columns:
            message = f"column {quoted(name)} looks like a filter of column {quoted(base)}"
            yield Mistake(message, child(pointer, name), name, of_key=True)


def _values(column: Valid, pointer: str) -> Iterator[Mistake]:
    kind = column.get("type", "")
    given = [(key, column[key]) for key in ("minimum", "maximum") if key in column]
    yield from (
        Mistake(f"a {kind} column has no {key}", child(pointer, key), value)
        for key, value in given
        if not has_order(kind)
    )
    bounds = given if has_order(kind) else []
    listed = [(f"enum/{at}", value) for at, value in enumerate(column.get("enum", ()))]
    wrong = [pair for pair in bounds if isinstance(pair[1], bool) or not _fits(kind, pair[1])]
    for key, value in (*wrong, *(pair for pair in listed if not _fits(kind, pair[1]))):
        yield Mistake(_unfit(kind, value), f"{pointer}/{key}", value)
    if len(bounds) == len(("minimum", "maximum")) and not wrong:
        yield from _bounds(kind, column, pointer)


def _bounds(kind: str, column: Valid, pointer: str) -> Iterator[Mistake]:
    least, most = (read_value(kind, column[key]) for key in ("minimum", "maximum"))
    if isinstance(least, str) != isinstance(most, str):
        yield Mistake("is not of the same type as minimum", f"{pointer}/maximum", column["maximum"])
    elif least > most:
        yield Mistake("is less than minimum", f"{pointer}/maximum", column["maximum"])


def _fits(kind: str, value: object) -> bool:
    try:
        read_value(kind, value)
    except ValueError:
        return False
    return True


def _unfit(kind: str, value: object) -> str:
    hint = "; put it in quotes" if kind == "string" else ""
    return f"{quoted(value)} does not fit a column{f' of type {kind}' if kind else ''}{hint}"
