"""What is promised of every dataset, in the words of the Open Data Contract Standard."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

from app.plugin import Call, Column, Constant, Dataset, Document, Endpoint, Member, hookimpl

_STANDARD = "v3.1.0"
_LOGICAL = {
    **{name: name for name in ("string", "integer", "number", "boolean", "date", "time")},
    "timestamp": "timestamp",
    "decimal": "number",
    "binary": "string",
    "duration": "string",
    "json": "string",
    "list": "array",
    "struct": "object",
    "map": "object",
}
# Where the standard knows bounds, what they are written as.
_NUMBERS, _MOMENTS = ("integer", "number", "decimal"), ("date", "time", "timestamp")
_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
_HEX_DIGITS = 12


@hookimpl
def endpoints(dataset: Dataset) -> Sequence[Endpoint]:  # noqa: ARG001 - every dataset has one
    """Offer ``contract`` for every dataset."""
    return [
        Endpoint(
            name="contract",
            path="/contract",
            answer=contract,
            summary="Its data contract, as ODCS 3.1",
            description="A document of the Open Data Contract Standard, as JSON or YAML.",
            returns={
                **dict.fromkeys(("apiVersion", "kind", "id", "name"), Member("string")),
                "version": Member("string", description="Changes when anything else here does."),
                "status": Member("string"),
                "schema": Member("struct", many=True),
                "tags": Member("string", many=True, optional=True),
                "description": Member("struct", optional=True),
                "team": Member("json", optional=True),
                "slaProperties": Member("struct", many=True, optional=True),
                "customProperties": Member("struct", many=True, optional=True),
            },
            generic=True,
            media=("application/json", "application/yaml"),
            document=True,
        )
    ]


def contract(call: Call) -> Document:
    """Give the contract; its version is made of its content."""
    dataset = call.dataset
    content = {
        "name": dataset.title or dataset.name,
        "status": dataset.status,
        "tags": list(dataset.tags),
        "description": _known({"purpose": dataset.description}),
        "schema": [_object(dataset)],
        "team": _team(dataset.owner),
        "slaProperties": list(_freshness(dataset)),
        "customProperties": _lineage(dataset),
    }
    known = _known(content)
    written = json.dumps(known, sort_keys=True).encode()
    head = {
        "apiVersion": _STANDARD,
        "kind": "DataContract",
        "id": dataset.name,
        "version": f"1.0.0+{sha256(written).hexdigest()[:_HEX_DIGITS]}",
    }
    return Document({**head, **known})


def _object(dataset: Dataset) -> dict[str, object]:
    keys = list(dataset.keys)
    unique = {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": keys}}
    return _known(
        {
            "name": dataset.name,
            "logicalType": "object",
            "physicalType": "table",
            "description": dataset.description,
            "dataGranularityDescription": f"One row for each {', '.join(keys)}.",
            "properties": [_property(dataset, column) for column in dataset.columns],
            "quality": [unique],
        }
    )


def _property(dataset: Dataset, column: Column) -> dict[str, object]:
    keys, name = dataset.keys, column.name
    return _known(
        {
            "name": name,
            "logicalType": _LOGICAL[column.type],
            "physicalType": column.physical,
            "description": column.description,
            "required": column.required or name in (*keys, *dataset.lineage.columns),
            "unique": column.unique or keys == (name,) or None,
            "primaryKey": name in keys or None,
            "primaryKeyPosition": keys.index(name) + 1 if name in keys else None,
            "logicalTypeOptions": _bounds(column),
            "quality": list(_quality(column)),
            "customProperties": _custom({"unit": column.unit}),
        }
    )


def _bounds(column: Column) -> dict[str, object]:
    if column.type not in (*_NUMBERS, *_MOMENTS):
        return {}
    return _known({"minimum": _plain(column.minimum), "maximum": _plain(column.maximum)})


def _quality(column: Column) -> Iterator[dict[str, object]]:
    """Say in words what the standard has no rule for: bounds of other types."""
    if column.enum:
        valid = {"validValues": [_plain(value) for value in column.enum]}
        yield {"metric": "invalidValues", "mustBe": 0, "arguments": valid}
    if not _bounds(column):
        for word, bound in (("smaller", column.minimum), ("larger", column.maximum)):
            if bound is not None:
                yield {"type": "text", "description": f"No value is {word} than {_plain(bound)}."}


def _freshness(dataset: Dataset) -> Iterator[dict[str, object]]:
    generated_at = dataset.lineage.generated_at
    element = {} if isinstance(generated_at, Constant) else {"element": generated_at}
    limits = (
        ("an error", dataset.freshness.error_after),
        ("a warning", dataset.freshness.warn_after),
    )
    for word, age in limits:
        if age is not None:
            unit, one = next((each for each in _UNITS if not age % each[1]), _UNITS[-1])
            yield {
                "property": "freshness",
                "value": age // one,
                "unit": unit,
                **element,
                "description": f"Rows that are all older are {word}.",
            }


def _lineage(dataset: Dataset) -> list[dict[str, object]]:
    """Tell for each field of the lineage its column, or the value that every row has."""
    lineage = dataset.lineage
    fields = {
        "dataset_id": lineage.dataset_id,
        "model_version": lineage.model_version,
        "generated_at": lineage.generated_at,
        "source": lineage.source,
    }
    parts = {
        name: {"value": part.value} if isinstance(part, Constant) else {"column": part}
        for name, part in fields.items()
        if part is not None
    }
    since = dataset.deprecated_since
    return _custom(
        {"lineage": parts, "time": dataset.time, "deprecatedSince": since and since.isoformat()}
    )


def _team(owner: Mapping[str, str]) -> dict[str, object]:
    members = [{"username": owner["email"], "role": "owner"}] if owner.get("email") else []
    return _known({"name": owner.get("name"), "members": members})


def _custom(facts: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"property": name, "value": value} for name, value in facts.items() if value]


def _known(members: Mapping[str, object]) -> dict[str, object]:
    """Leave out what nobody declared."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _plain(value: object) -> object:
    """Give a declared value as JSON has it; of a decimal its number."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
