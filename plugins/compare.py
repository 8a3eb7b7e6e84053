"""Two model versions of every dataset, or two Generations of it, against each other by key."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from app.plugin import (
    PAGE,
    Call,
    Column,
    Compared,
    Comparison,
    Dataset,
    Difference,
    Endpoint,
    GenerationGoneError,
    InvalidParameterError,
    Member,
    NotFoundError,
    Parameter,
    Query,
    Stamp,
    Where,
    hookimpl,
)

_GENERATION = re.compile("generation:([1-9][0-9]{0,17})")
_NUMERIC = ("integer", "number", "decimal")
# Types whose values compare however wide the column is that holds them.
_ANY_WIDTH = ("integer", "number", "string", "boolean")
_ABOUT = (
    "Give `with=generation:4` to put a kept Generation (a) against this one (b), or `a` and `b` "
    "to put two model versions of this one against each other. Rows are matched by key; lineage "
    "is not compared. Null and NaN are equal."
)

_DIFFERENCE = {
    "different": Member("integer"),
    "mean_difference": Member("number", nullable=True, optional=True, description="Of b - a."),
    "max_difference": Member("json", optional=True, description="The greatest |b - a|."),
}


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:
    """Offer ``compare`` for every dataset."""
    return [
        Endpoint(
            name="compare",
            path="/compare",
            answer=compared,
            summary="Two versions, or two Generations, by key",
            description=_ABOUT,
            parameters=(
                Parameter("with", description="A kept Generation, as `generation:4`."),
                Parameter("a", description="The model version to start from."),
                Parameter("b", description="The model version to compare with it."),
                *PAGE,
            ),
            returns=_returns(dataset),
            generic=True,
        )
    ]


def compared(call: Call) -> Mapping[str, object]:
    """Count what differs by key, say by how much, and show one page of it.

    Raises:
        InvalidParameterError: it is not said which two sides are meant, or the dataset has one
            model version by declaration.
        NotFoundError: no row has that model version.
        GenerationGoneError: that Generation is not kept, or had other keys.
    """
    comparison = _of_generations(call) if _across_generations(call) else _of_versions(call)
    found = call.compare(comparison)
    return {
        "only_a": found.only_a,
        "only_b": found.only_b,
        "different": found.different,
        "same": found.same,
        "columns": {
            each.name: _figures(each, found.columns[each.name])
            for each in call.dataset.columns
            if each.name in found.columns
        },
        "data": _rows(found),
        "next": call.next,
    }


def _across_generations(call: Call) -> bool:
    """Tell whether Generations are meant, not model versions."""
    if call["with"] is not None and call["a"] is call["b"] is None:
        return True
    if call["with"] is None and None not in (call["a"], call["b"]):
        return False
    raise _refused("with", "one way is needed, and only one", "with=generation:n, or a and b")


def _of_generations(call: Call) -> Comparison:
    named = _GENERATION.fullmatch(call["with"])
    if named is None:
        raise _refused("with", f"{call['with'][:50]!r} is not valid", "generation: and a number")
    number = int(named[1])
    before, table = call.kept(number)
    call.stamp = Stamp.of_versions(call.table.versions)
    if table.hash == call.table.hash:
        # One Table is in both, and is read once.
        before, number = call.dataset, 0
    if _types(before, before.keys) != _types(call.dataset, call.dataset.keys):
        raise GenerationGoneError(f"The keys were others in Generation {number}.", keys=before.keys)
    columns = [each.name for each in _compared_columns(call.dataset) if _alike(each, before)]
    sides = Query(before), Query(call.dataset)
    return Comparison(
        *sides, before.keys, tuple(columns), generation=number or None, limit=call["limit"]
    )


def _of_versions(call: Call) -> Comparison:
    part = call.dataset.lineage.model_version
    if not isinstance(part, str):
        raise _refused("a", "the dataset has one model version, by its declaration", "with")
    known = call.table.model_versions
    for version in (call["a"], call["b"]):
        if version not in known:
            close = get_close_matches(version, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            told = f"No row has the model version {version[:50]!r}.{hint}"
            raise NotFoundError(told, model_version=version)
    sides = {call["a"], call["b"]}
    shown = [each for each in call.table.versions if str(each["model_version"]) in sides]
    call.stamp = Stamp.of_versions(shown)
    a, b = (Query(call.dataset, where=[Where(part, "eq", call[side])]) for side in ("a", "b"))
    keys = tuple(key for key in call.dataset.keys if key != part)
    columns = tuple(each.name for each in _compared_columns(call.dataset))
    return Comparison(a, b, keys, columns, limit=call["limit"])


def _compared_columns(dataset: Dataset) -> list[Column]:
    """Give the columns that are compared: a new run with equal values differs in nothing."""
    left = {*dataset.keys, *dataset.lineage.columns}
    return [column for column in dataset.columns if column.name not in left]


def _alike(column: Column, before: Dataset) -> bool:
    """Tell whether the other side has the column with the same type."""
    other = before.column(column.name)
    if other is None or other.type != column.type:
        return False
    return other.physical == column.physical or column.type in _ANY_WIDTH


def _types(dataset: Dataset, names: Sequence[str]) -> list[tuple[str, str]]:
    columns = [dataset.column(name) for name in names]
    return [(each.name, each.type) for each in columns if each is not None]


def _figures(column: Column, difference: Difference) -> dict[str, object]:
    if column.type not in _NUMERIC:
        return {"different": difference.different}
    figures = {"mean_difference": difference.mean, "max_difference": difference.most}
    return {"different": difference.different, **figures}


def _rows(found: Compared) -> list[Mapping[str, object]]:
    return [
        {**{_named(key): value for key, value in keys.items()}, "a": a, "b": b}
        for keys, a, b in found.rows
    ]


def _named(key: str) -> str:
    """Give the name of a key in a row: a side may be called as it is."""
    return f"{key}__key" if key in {"a", "b"} else key


def _refused(parameter: str, message: str, allowed: str) -> InvalidParameterError:
    error = {"parameter": parameter, "message": message, "allowed": allowed}
    return InvalidParameterError(f"{parameter}: {message}; allowed is {allowed}.", errors=[error])


def _returns(dataset: Dataset) -> dict[str, Member]:
    keys = {_named(name): Member(column=name, optional=True) for name in dataset.keys}
    side = Member(record=True, nullable=True)
    return {
        "only_a": Member("integer", description="Keys that only a has."),
        "only_b": Member("integer", description="Keys that only b has."),
        "different": Member("integer", description="Keys of both with a column that differs."),
        "same": Member("integer", description="Keys of both where no column differs."),
        "columns": Member(members=_DIFFERENCE, named=True, description="Each compared column."),
        "data": Member(
            members={**keys, "a": side, "b": side},
            many=True,
            description="What differs or is on one side only, ordered by key.",
        ),
        "next": Member("string", nullable=True),
    }
