"""Parameters: parsed by the same table that documents them; every mistake is told at once."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from operator import attrgetter

from app.dataset import Dataset
from app.errors import InvalidParameterError
from app.formats import json_bytes
from app.http.pairs import Pairs
from app.http.problems import sentence
from app.plugin import Parameter
from app.query import (
    MOST_FILTERS,
    MOST_VALUES,
    TYPES,
    Filters,
    Where,
    canonical_filters,
    read_cell,
    read_value,
)
from app.values import per_request

# They do not change which question it is that a cursor belongs to.
_OF_THE_PAGE = ("cursor", "limit", "count", "generation", "bigint")
_MOST_COMPARED = 1_000
_MOST_SHOWN = 40
# So many are told; looking for the nearest of a thousand names takes milliseconds for each.
_MOST_FAULTS = 10
_LONGEST_SHOWN = 80

Fault = Mapping[str, object]


@per_request
class Asked:
    """The checked parameters of one request by name, defaults filled in, and its filters."""

    values: Mapping[str, object]
    where: tuple[Where, ...] = ()

    @property
    def canonical(self) -> str:
        """Write them in one way, whatever order and spelling they came in.

        The Generation is not in it: it is part of every identity already.
        """
        return self._written("generation")

    @property
    def question(self) -> str:
        """Write what a cursor belongs to: all but which page it is."""
        return self._written(*_OF_THE_PAGE)

    def number(self, name: str) -> int | None:
        """Give the value of an integer parameter; None where it was left out."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def _written(self, *without: str) -> str:
        values = [each for each in self.values.items() if each[0] not in without]
        filters = canonical_filters(self.where) if self.where else ()
        return json_bytes([values, filters]).decode()


class ParameterTable:
    """The parameters of one endpoint for one dataset: what there are, and how they are read."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        path: str = "",
        dataset: Dataset | None = None,
        *,
        filters: bool = False,
    ) -> None:
        self._dataset = dataset
        self.path = [each for each in parameters if f"{{{each.name}}}" in path]
        self.query = {each.name: each for each in parameters if each not in self.path}
        self._all = (*self.path, *self.query.values())
        self._columns = {
            each.name: dataset.column(each.column) if dataset else None for each in parameters
        }
        self._limited = {
            each.name
            for each in parameters
            if each.choices or each.minimum is not None or each.maximum is not None
        }
        # In one order, so that what is read is written in one way.
        self._defaults = {
            each.name: each.default for each in sorted(parameters, key=attrgetter("name"))
        }
        self.filters = Filters(dataset, self.query) if filters and dataset else None

    def read(self, path: Mapping[str, str], pairs: Pairs) -> Asked:
        """Give every parameter's value, with defaults filled in.

        Raises:
            InvalidParameterError: its ``errors`` tell of every parameter that is wrong.
        """
        given: dict[str, list[str]] = {}
        for name, text in pairs:
            given.setdefault(name, []).append(text)
        faults: list[Fault] = []
        values = dict(self._defaults)
        where: tuple[Where, ...] = ()
        if not given.keys() <= self.query.keys():
            rest = {name: each for name, each in given.items() if name not in self.query}
            where = tuple(self._conditions(rest, faults))
        for parameter in self.path:
            # A filter may be called the same.
            given[parameter.name] = [path[parameter.name]]
        for parameter in self._all:
            name = parameter.name
            if name not in given and not parameter.required:
                continue
            try:
                values[name] = self._value(parameter, given.get(name))
            except _WrongError as wrong:
                faults.append(wrong.fault(name))
        if faults:
            told = "; ".join(f"{each['parameter']}: {each['message']}" for each in faults[:3])
            raise InvalidParameterError(sentence(told), errors=faults)
        return Asked(values, where)

    def type_of(self, parameter: Parameter) -> str:
        """Give the name of a parameter's type, which may be that of a column."""
        column = self._columns[parameter.name]
        return parameter.type if column is None else column.type

    def _conditions(self, given: Mapping[str, list[str]], faults: list[Fault]) -> Iterator[Where]:
        """Read the filters among the parameters; what is wrong goes to the faults."""
        listed, seen = 0, set()
        for place, (name, texts) in enumerate(given.items()):
            if len(faults) >= _MOST_FAULTS:
                return
            if self.filters is None or name not in self.filters:
                faults.append(self._unknown(name, first=not faults))
                continue
            try:
                where = self.filters.read(name, texts)
            except ValueError as error:
                message = f"{_shortened(','.join(texts))!r} is not valid"
                allowed = str(error).removeprefix("expected ")
                faults.append(_WrongError(message, allowed).fault(name))
                continue
            if (where.column, where.operator) in seen:
                message = "the same is asked by another parameter"
                faults.append(_WrongError(message, "each condition once").fault(name))
                continue
            seen.add((where.column, where.operator))
            listed += len(where.value) if isinstance(where.value, list) else 0
            if place >= MOST_FILTERS or listed > MOST_VALUES:
                allowed = f"{MOST_FILTERS} filters with {MOST_VALUES} listed values in all"
                faults.append(_WrongError("there are too many filters", allowed).fault(name))
                return
            yield where

    def _unknown(self, name: str, *, first: bool) -> Fault:
        names = [*self.query, *(each for each, _, _ in self.filters or ())]
        near = {each.casefold(): each for each in names[:_MOST_COMPARED]}
        close = get_close_matches(name.casefold(), near, n=1)
        hint = f"; did you mean {near[close[0]]!r}?" if close else ""
        message = f"there is no such parameter{hint}"
        column = self._dataset.column(name.rpartition("__")[0] or name) if self._dataset else None
        if self.filters is not None and column is not None and not column.filterable:
            message = f"column {column.name!r} cannot be filtered by"
        if not first:
            return {"parameter": name, "message": message}
        columns = dict.fromkeys(column.name for _, column, _ in self.filters or ())
        allowed = [*sorted(self.query), *(each for each in columns if each not in self.query)]
        return {"parameter": name, "message": message, "allowed": allowed}

    def _value(self, parameter: Parameter, texts: list[str] | None) -> object:
        if texts is None:
            raise _WrongError("it is required", TYPES[self.type_of(parameter)].expected)
        if parameter.many:
            # A choice may hold a comma itself.
            whole = len(texts) > 1 or texts[0] in parameter.choices
            several = texts if whole else texts[0].split(",")
            most = parameter.most or MOST_VALUES
            if len(several) > most:
                raise _WrongError(f"it has {len(several)} values", f"at most {most}")
            if parameter.choices and len(set(several)) < len(several):
                raise _WrongError("a name stands twice in it", "each name once")
            return [self._one(parameter, text) for text in several]
        if len(texts) > 1:
            raise _WrongError(f"it is given {len(texts)} times", "once")
        return self._one(parameter, texts[0])

    def _one(self, parameter: Parameter, text: str) -> object:
        column = self._columns[parameter.name]
        try:
            value = read_value(parameter.type, text) if column is None else read_cell(column, text)
        except ValueError as error:
            allowed = str(error).removeprefix("expected ")
            raise _WrongError(f"{_shortened(text)!r} is not valid", allowed) from error
        wrong = _outside(parameter, value) if parameter.name in self._limited else None
        if wrong is not None:
            raise _WrongError(f"{_shortened(text)!r} is not allowed{wrong[0]}", wrong[1])
        return value


class _WrongError(Exception):
    """One parameter is wrong: what is, and what is allowed."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self._message, self._allowed = message, allowed

    def fault(self, name: str) -> Fault:
        message = f"{self._message}; allowed is {self._allowed}"
        return {"parameter": name, "message": message, "allowed": self._allowed}


def _outside(parameter: Parameter, value: object) -> tuple[str, str] | None:
    """Say why a value is not allowed: a hint, and what is allowed; None where it is."""
    if parameter.choices and value not in parameter.choices:
        close = get_close_matches(str(value), parameter.choices[:_MOST_COMPARED], n=1)
        more = ", …" if len(parameter.choices) > _MOST_SHOWN else ""
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return hint, ", ".join(parameter.choices[:_MOST_SHOWN]) + more
    if parameter.minimum is not None and isinstance(value, int) and value < parameter.minimum:
        return "", f"{parameter.minimum} or more"
    if parameter.maximum is not None and isinstance(value, int) and value > parameter.maximum:
        return "", f"at most {parameter.maximum}"
    return None


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
