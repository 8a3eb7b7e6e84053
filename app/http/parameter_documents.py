"""What OpenAPI says of parameters: the same table that reads them, as documents."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from app.dataset import Dataset
from app.http.parameters import ParameterTable
from app.plugin import COMMON, PAGE, Parameter
from app.query import MOST_VALUES, TYPES, Filters

Documented = dict[str, Any]

_LISTS = ("in", "not_in")
_NAME = re.compile("[A-Za-z0-9_-]+")
_SHARED = (*PAGE, *COMMON)
# Beside its own, an operation that filters has one parameter for each column, which asks for
# equality, and one object whose members are all others: as many parameters as it has members.
_CONDITIONS = "filters"


def documented_path(table: ParameterTable) -> list[Documented]:
    """Document the parameters of the path."""
    return [{**_documented(each, table), "in": "path", "required": True} for each in table.path]


def documented_query(
    table: ParameterTable, dataset: Dataset, *, generic: bool
) -> list[Documented | str]:
    """Document the parameters of the query, shared ones by the names they are referred to.

    Only generic endpoints ask the columns by their own names, and so share them.
    """
    own = [
        each.name if each in _SHARED else {**_documented(each, table), **_place(each)}
        for each in table.query.values()
    ]
    if table.filters is None:
        return own
    if generic:
        return [*own, *_conditions(table, dataset)]
    asked = (each for _, each in filter_parameters(dataset, table.query))
    return [*own, *(each for each in asked if each["name"] not in table.query)]


def shared_parameters() -> Iterator[tuple[str, Documented]]:
    """Give the parameters that every operation about data refers to, by their names."""
    table = ParameterTable(_SHARED)
    yield from ((each.name, {**_documented(each, table), **_place(each)}) for each in _SHARED)


def filter_parameters(dataset: Dataset, taken: Collection[str]) -> Iterator[tuple[str, Documented]]:
    """Give the parameters by which a dataset is filtered, by the names they are referred to.

    ``taken`` are the names of other parameters: columns called so have their ``__eq`` form.
    """
    names = list(Filters(dataset, ()))
    for column in (column for name, column, _ in names if name == column.name):
        schema = TYPES[column.type].json_schema
        shown = {"name": column.name, "in": "query", "schema": schema}
        told = {"description": column.description} if column.description else {}
        yield _equal(dataset, column.name), {**shown, **told}
    members = {
        name: _member(operator, column.type)
        for name, column, operator in names
        if name != column.name and (operator != "eq" or column.name in taken)
    }
    yield (
        f"{dataset.name}-{_CONDITIONS}",
        {
            "name": _free(_CONDITIONS, dataset),
            "in": "query",
            "description": "Conditions `column__op=value`; all of them hold. Lists are by commas.",
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "properties": members, "additionalProperties": False},
        },
    )


def _conditions(table: ParameterTable, dataset: Dataset) -> Iterator[str]:
    for name, column, _ in table.filters or ():
        if name == column.name:
            yield _equal(dataset, name)
    yield f"{dataset.name}-{_CONDITIONS}"


def _equal(dataset: Dataset, column: str) -> str:
    """Name the parameter that a column is; a component's name has letters, digits, `-` and `_`."""
    plain = _NAME.fullmatch(column)
    place = [each.name for each in dataset.columns].index(column)
    return f"{dataset.name}.{column}" if plain else f"{dataset.name}-{place}"


def _free(name: str, dataset: Dataset) -> str:
    while dataset.has_column(name):
        name += "_"
    return name


def _member(operator: str, kind: str) -> Documented:
    if operator == "isnull":
        return {"type": "boolean"}
    if operator in _LISTS:
        return {"type": "string"}
    return dict(TYPES[kind].json_schema)


def _place(parameter: Parameter) -> Documented:
    listed = {"style": "form", "explode": False} if parameter.many else {}
    return {"in": "query", "required": parameter.required, **listed}


def _documented(parameter: Parameter, table: ParameterTable) -> Documented:
    schema: Documented = dict(TYPES[table.type_of(parameter)].json_schema)
    facts = {
        "enum": list(parameter.choices) or None,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "default": parameter.default,
    }
    if parameter.many:
        facts["default"] = None
    schema.update({name: value for name, value in facts.items() if value is not None})
    if parameter.many:
        unique = {"uniqueItems": True} if parameter.choices else {}
        schema = {
            "type": "array",
            "items": schema,
            "maxItems": parameter.most or MOST_VALUES,
            **unique,
        }
        if parameter.default is not None:
            schema["default"] = parameter.default
    shown: Documented = {"name": parameter.name, "schema": schema}
    return {**shown, "description": parameter.description} if parameter.description else shown
