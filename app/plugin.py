"""The contract: everything a plugin may use, and all that it needs to import.

A plugin is a module in the plugin folder, or behind an ``assay.plugins`` entry point, with
functions marked ``@hookimpl``. It is handed values and gives values back: it never sees the
web framework, the engine or the state of the service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from app.dataset import Column, Constant, Dataset, Lineage
from app.errors import InvalidParameterError, NotFoundError
from app.query import NO_STAMP, WINDOWS, AnyOf, Measure, Query, Rows, Stamp, Where, Window

# Raised when a field or a hook goes, never when one comes.
CONTRACT_VERSION = 1

hookspec = pluggy.HookspecMarker("assay")
hookimpl = pluggy.HookimplMarker("assay")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint: parsed and documented from this alone.

    It is a path parameter where the endpoint's path holds ``{name}``. ``type`` is the name
    of a type of column; with ``column`` it is that column's type. ``many`` takes a list by
    commas, or by repeating the parameter (then nothing is split).
    """

    name: str
    type: str = "string"
    description: str = ""
    column: str = ""
    required: bool = False
    default: object = None
    many: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None


PERIOD = (
    Parameter("start", "date", "First day.", required=True),
    Parameter("end", "date", "Last day, included.", required=True),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an answer, for its documentation.

    It is a ``type`` (of column), a ``column`` (shown like that column), ``rows`` (a list of
    records with these columns) or ``members`` (an object; with ``many`` a list of them).
    """

    type: str = ""
    column: str = ""
    rows: tuple[str, ...] = ()
    members: Mapping[str, "Member"] = field(default_factory=dict)
    many: bool = False
    nullable: bool = False
    optional: bool = False
    description: str = ""


@dataclass(slots=True)
class Call:
    """One use of an endpoint: its dataset, the parsed parameters, and how to ask.

    ``dataset`` has its columns under the endpoint's own names. ``others`` holds the datasets
    that the endpoint ``reads``, by option; one that the registry does not name is absent.
    """

    dataset: Dataset
    values: Mapping[str, Any]
    others: Mapping[str, Dataset]
    runner: Callable[[Query], Rows]
    stamp: Stamp = NO_STAMP

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a checked parameter, of its own type
        """Give the value of a parameter; None where it was left out and has no default."""
        return self.values[name]

    def within(self, column: str) -> tuple[Where, Where]:
        """Give the conditions of the call's period on a column, both ends included.

        Raises:
            InvalidParameterError: the period ends before it starts.
        """
        start, end = self["start"], self["end"]
        if start > end:
            message, allowed = f"the period starts on {start}", f"{start} or later"
            error = {"parameter": "end", "message": message, "allowed": allowed}
            raise InvalidParameterError("The period ends before it starts.", errors=[error])
        return Where(column, "gte", start), Where(column, "lte", end)

    def run(self, query: Query) -> Rows:
        """Run a Query; rows of the call's own dataset give the answer its lineage."""
        rows = self.runner(query)
        if query.dataset is self.dataset:
            self.stamp = self.stamp.joined(rows.stamp)
        return rows


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that a plugin offers for a dataset, below ``/api/v1``.

    ``answer`` turns a Call into the members of the body; ``metadata`` is added to them.
    ``columns`` names the columns it speaks of and which column of the dataset each one is,
    unless the registry's option ``columns`` says otherwise. ``reads`` are options that name
    another dataset. The registry's option ``path`` replaces ``path``.
    """

    name: str
    path: str
    answer: Callable[[Call], Mapping[str, object]]
    summary: str
    parameters: Sequence[Parameter] = ()
    returns: Mapping[str, Member] = field(default_factory=dict)
    columns: Mapping[str, str | Constant] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    description: str = ""


class PluginHooks:
    """What a plugin may implement."""

    @hookspec
    def endpoints(self, dataset: Dataset) -> Sequence[Endpoint]:  # type: ignore[empty-body]
        """Give the endpoints this plugin offers for ``dataset``; none if it has nothing to say.

        Called for every dataset, with every column that is served. An endpoint is served
        where the dataset's ``endpoints`` in the registry name it.
        """


__all__ = [
    "CONTRACT_VERSION",
    "PERIOD",
    "WINDOWS",
    "AnyOf",
    "Call",
    "Column",
    "Constant",
    "Dataset",
    "Endpoint",
    "InvalidParameterError",
    "Lineage",
    "Measure",
    "Member",
    "NotFoundError",
    "Parameter",
    "PluginHooks",
    "Query",
    "Rows",
    "Stamp",
    "Where",
    "Window",
    "hookimpl",
    "hookspec",
]
