"""Parameters: parsed by the same table that documents them; every mistake is told at once."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl

from app.dataset import Dataset
from app.errors import InvalidParameterError
from app.formats import json_bytes
from app.http.problems import sentence
from app.plugin import Parameter
from app.query import TYPES, read_value

_MOST_VALUES = 1_000
_MOST_PAIRS = 2_000
_MOST_COMPARED = 400
_LONGEST_SHOWN = 80

Pairs = Sequence[tuple[str, str]]


def query_pairs(query_string: bytes) -> Pairs:
    """Read a query string as names and values, in order.

    Raises:
        InvalidParameterError: it is not UTF-8, or holds too many.
    """
    try:
        return parse_qsl(
            query_string.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PAIRS,
        )
    except UnicodeDecodeError as error:
        raise InvalidParameterError("The query is not UTF-8.") from error
    except ValueError as error:
        raise InvalidParameterError(f"The query has more than {_MOST_PAIRS} parts.") from error


class ParameterTable:
    """The parameters of one endpoint for one dataset: how they are read and documented."""

    def __init__(self, parameters: Sequence[Parameter], path: str, dataset: Dataset | None) -> None:
        self._dataset = dataset
        self._path = [each for each in parameters if f"{{{each.name}}}" in path]
        self._query = {each.name: each for each in parameters if each not in self._path}

    def read(self, path: Mapping[str, str], pairs: Pairs) -> dict[str, object]:
        """Give every parameter's value, with defaults filled in.

        Raises:
            InvalidParameterError: its ``errors`` tell of every parameter that is wrong.
        """
        given: dict[str, list[str]] = {}
        for name, text in pairs:
            given.setdefault(name, []).append(text)
        problems = [self._unknown(name) for name in given if name not in self._query]
        values: dict[str, object] = {}
        texts = {**{each.name: [path[each.name]] for each in self._path}, **given}
        for parameter in (*self._path, *self._query.values()):
            try:
                values[parameter.name] = self._value(parameter, texts.get(parameter.name))
            except _WrongError as wrong:
                problems.append(wrong.problem(parameter.name))
        if problems:
            told = "; ".join(f"{each['parameter']}: {each['message']}" for each in problems[:3])
            raise InvalidParameterError(sentence(told), errors=problems)
        return values

    def documented_path(self) -> list[dict[str, Any]]:
        """Document the parameters of the path."""
        return [{**self._documented(each), "in": "path", "required": True} for each in self._path]

    def documented_query(self) -> list[dict[str, Any]]:
        """Document the parameters of the query."""
        return [
            {
                **self._documented(each),
                "in": "query",
                "required": each.required,
                **({"style": "form", "explode": False} if each.many else {}),
            }
            for each in self._query.values()
        ]

    def _documented(self, parameter: Parameter) -> dict[str, Any]:
        schema: dict[str, object] = dict(TYPES[self._type(parameter)].json_schema)
        facts = {
            "enum": list(parameter.choices) or None,
            "minimum": parameter.minimum,
            "maximum": parameter.maximum,
            "default": parameter.default,
        }
        schema.update({name: value for name, value in facts.items() if value is not None})
        if parameter.many:
            schema = {"type": "array", "items": schema, "maxItems": _MOST_VALUES}
        shown: dict[str, Any] = {"name": parameter.name, "schema": schema}
        return {**shown, "description": parameter.description} if parameter.description else shown

    def _type(self, parameter: Parameter) -> str:
        if not parameter.column or self._dataset is None:
            return parameter.type
        column = self._dataset.column(parameter.column)
        return column.type if column is not None else parameter.type

    def _unknown(self, name: str) -> dict[str, object]:
        close = get_close_matches(name, list(self._query)[:_MOST_COMPARED], n=1)
        message = "there is no such parameter" + (f"; did you mean {close[0]!r}?" if close else "")
        return {"parameter": name, "message": message, "allowed": sorted(self._query)}

    def _value(self, parameter: Parameter, texts: list[str] | None) -> object:
        if texts is None:
            if parameter.required:
                raise _WrongError("it is required", TYPES[self._type(parameter)].expected)
            return parameter.default
        if parameter.many:
            several = texts if len(texts) > 1 else texts[0].split(",")
            if len(several) > _MOST_VALUES:
                raise _WrongError(f"it has {len(several)} values", f"at most {_MOST_VALUES}")
            return [self._one(parameter, text) for text in several]
        if len(texts) > 1:
            raise _WrongError(f"it is given {len(texts)} times", "once")
        return self._one(parameter, texts[0])

    def _one(self, parameter: Parameter, text: str) -> object:
        kind = self._type(parameter)
        try:
            value = read_value(kind, text)
        except ValueError as error:
            raise _WrongError(f"{_shortened(text)!r} is not valid", TYPES[kind].expected) from error
        for problem in _outside(parameter, value):
            raise _WrongError(f"{_shortened(text)!r} is not allowed", problem)
        return value


def canonical(values: Mapping[str, object]) -> str:
    """Write checked values in one way, whatever order and spelling they came in."""
    return json_bytes(sorted(values.items())).decode()


class _WrongError(Exception):
    """One parameter is wrong: what is, and what is allowed."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self._message, self._allowed = message, allowed

    def problem(self, name: str) -> dict[str, object]:
        return {
            "parameter": name,
            "message": f"{self._message}; allowed is {self._allowed}",
            "allowed": self._allowed,
        }


def _outside(parameter: Parameter, value: object) -> Iterator[str]:
    if parameter.choices and value not in parameter.choices:
        yield ", ".join(parameter.choices)
    if parameter.minimum is not None and isinstance(value, int) and value < parameter.minimum:
        yield f"{parameter.minimum} or more"
    if parameter.maximum is not None and isinstance(value, int) and value > parameter.maximum:
        yield f"at most {parameter.maximum}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
