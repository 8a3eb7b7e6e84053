"""Fits the columns of a file to what a dataset declares: which are served, and as which type."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from app.dataset import Column, Dataset
from app.query import read_measure, read_order
from app.table import Finding

# What a column has to be for its role, and how that is told.
_MOMENTS = ({"date", "timestamp"}.__contains__, "a date or a timestamp")
_COMPARED = (lambda kind: kind not in {"list", "struct", "map"}, "values that compare")
_FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("tinyint", "smallint", "integer", "bigint", "hugeint"),
            *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
        ),
        "integer",
    ),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("varchar", "enum", "uuid"), "string"),
    **dict.fromkeys(("time", "time with time zone"), "time"),
    **dict.fromkeys(
        (
            *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
            *("timestamp with time zone", "timestamptz_ns"),
        ),
        "timestamp",
    ),
    **dict.fromkeys(("list", "array"), "list"),
    **{name: name for name in ("decimal", "boolean", "date", "struct", "map")},
    "blob": "binary",
    "interval": "duration",
    "null": "integer",
}
# The engine's types that a Table holds as another: zones are settled, codes become text.
_SETTLED: Mapping[str, str] = {
    "enum": "VARCHAR",
    "uuid": "VARCHAR",
    "time with time zone": "TIME",
    "timestamp with time zone": "TIMESTAMP",
    "timestamptz_ns": "TIMESTAMP_NS",
    # A column without any value has no type; older engines say integer of it.
    "null": "INTEGER",
}
_WIDEST_DIGITS = 38
_EXACT_DOUBLE = 2**53


@dataclass(frozen=True, slots=True)
class Fitted:
    """One column of the Table to be: its name, its type, and the types it comes from and gets."""

    name: str
    type: str
    source: str
    physical: str

    @property
    def narrowed(self) -> bool:
        """Tell whether integers become floats, which is lossless below 2**53 only."""
        return self.type == "number" and self.source not in {"FLOAT", "DOUBLE"}


def fit_columns(
    dataset: Dataset, found: Mapping[str, Any]
) -> tuple[tuple[Fitted, ...], tuple[Finding, ...]]:
    """Fit the file's columns, name by name and DuckDB type, to the dataset.

    Returns:
        What the Table will hold, in the order of the file, and what does not fit.
    """
    findings = list(_missing(dataset, found))
    needed = {*dataset.keys, *dataset.lineage.columns, dataset.time}
    fitted = []
    for name, kind in found.items():
        declared = dataset.column(name)
        if dataset.strict and declared is None and name not in needed:
            continue
        column = _fit(declared or Column(name), kind)
        if isinstance(column, Finding):
            findings.append(column)
        else:
            fitted.append(column)
    return tuple(fitted), (*findings, *_roles(dataset, fitted))


def names_apart(names: Sequence[str]) -> Iterator[Finding]:
    """Find the names of a file that are equal up to case: the engine would rename one of them."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            same = [each for each in names if each.casefold() == name.casefold()]
            told = " and ".join(map(repr, same))
            yield Finding("names", f"columns {told} have the same name, up to case", name)
        seen.add(name.casefold())


def files_alike(files: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Find the files of a table whose columns, type by name, are not those of the first."""
    first = next(iter(files))
    for path, columns in files.items():
        for name in dict.fromkeys((*files[first], *columns)):
            here, there = columns.get(name, "nothing"), files[first].get(name, "nothing")
            if here != there:
                message = f"column {name!r} is {here} in {path!r}, but {there} in {first!r}"
                yield Finding("files", message, name)


def _missing(dataset: Dataset, found: Mapping[str, Any]) -> Iterator[Finding]:
    named = {
        "columns": [column.name for column in dataset.columns],
        "keys": dataset.keys,
        "lineage": dataset.lineage.columns,
        "time": [dataset.time] if dataset.time else [],
        "prepare": _prepared(dataset, found),
    }
    told = set()
    for part, names in named.items():
        for name in names:
            if name not in found and name not in told:
                told.add(name)
                message = f"no column {name!r} in the file, which {part!r} names"
                yield Finding("missing", message + _nearest(name, found), name)


def _prepared(dataset: Dataset, found: Mapping[str, Any]) -> list[str]:
    """Name the columns that orders and rollups speak of."""
    orders, rollups = dataset.prepare.orders.values(), dataset.prepare.rollups.values()
    names = [name for order in orders for name, _ in read_order(order, found)]
    for rollup in rollups:
        measured = (read_measure(text).columns for text in rollup.measures)
        names += [*rollup.by, *(name for columns in measured for name in columns)]
    return names


def _nearest(name: str, found: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(found), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _roles(dataset: Dataset, fitted: Sequence[Fitted]) -> Iterator[Finding]:
    types = {column.name: column.type for column in fitted}
    lineage = dataset.lineage
    asked = (
        (dataset.time, "time", _MOMENTS),
        (lineage.generated_at, "lineage.generated_at", _MOMENTS),
        (lineage.dataset_id, "lineage.dataset_id", _COMPARED),
        (lineage.model_version, "lineage.model_version", _COMPARED),
    )
    for name, role, (fits, needed) in asked:
        if isinstance(name, str) and name in types and not fits(types[name]):
            message = f"{role!r} needs {needed}; {name!r} is {types[name]}"
            yield Finding("type", message, name)


def _fit(declared: Column, kind: Any) -> Fitted | Finding:  # noqa: ANN401 - DuckDB's type object
    family = "json" if str(kind) == "JSON" else _FAMILIES.get(kind.id)
    if family is None or (settled := settled_type(kind)) is None:
        message = f"the file holds {kind}, which is not supported yet"
        return Finding("type", message, declared.name)
    wanted = declared.type or family
    if wanted == family:
        return Fitted(declared.name, family, str(kind), settled)
    if family == "integer" and wanted == "number":
        return Fitted(declared.name, wanted, str(kind), "DOUBLE")
    if family == "integer" and wanted == "decimal":
        return Fitted(declared.name, wanted, str(kind), f"DECIMAL({_WIDEST_DIGITS},0)")
    message = f"declared {wanted!r}, but the file holds {kind} ({family})"
    return Finding("type", message, declared.name)


def settled_type(kind: Any) -> str | None:  # noqa: ANN401 - DuckDB's type object
    """Give the type a Table holds for that DuckDB type; None where there is none."""
    name = kind.id
    if name in _SETTLED:
        return _SETTLED[name]
    if name in {"list", "array"}:
        element = settled_type(kind.children[0][1])
        return element and f"{element}[]"
    if name == "map":
        key, value = (settled_type(child) for _, child in kind.children)
        return f"MAP({key}, {value})" if key and value else None
    if name == "struct":
        fields = {field: settled_type(child) for field, child in kind.children}
        inner = ", ".join(f'"{_doubled(field)}" {each}' for field, each in fields.items())
        return f"STRUCT({inner})" if all(fields.values()) else None
    return str(kind) if name in _FAMILIES else None


def _doubled(name: str) -> str:
    return name.replace('"', '""')
