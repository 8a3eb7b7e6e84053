"""What a plugin offers: addresses, their parameters, and what is answered there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.dataset import Constant, Dataset
from app.plugin.call import Call
from app.query import Query, is_scalar

# The forms an Export can have, and their media types.
FORMATS: Mapping[str, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "arrows": "application/vnd.apache.arrow.stream",
}
_MOST_ROWS = 10_000
# A page that goes on compares each with all before it.
_MOST_SORTS = 8


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint: parsed and documented from this alone.

    It is a path parameter where the endpoint's path holds ``{name}``. ``type`` is the name
    of a type of column; with ``column`` it is that column's type. ``many`` takes a list by
    commas, or by repeating the parameter (then nothing is split), with ``most`` values at most.
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
    most: int | None = None


PERIOD = (
    Parameter("start", "date", "First day.", required=True),
    Parameter("end", "date", "Last day, included.", required=True),
)
# What every endpoint takes beside its own.
COMMON = (
    Parameter("generation", "integer", "Read this kept Generation, not the newest.", minimum=1),
    Parameter("bigint", description="Integers beyond 2^53 as strings.", choices=("string",)),
)
PAGE = (
    Parameter("limit", "integer", "Most rows.", default=100, minimum=1, maximum=_MOST_ROWS),
    Parameter("cursor", description="Where the page before this one ended: see `next` there."),
)


def picking(dataset: Dataset) -> tuple[Parameter, Parameter]:
    """Give ``select`` and ``sort`` for the columns of a dataset."""
    names = tuple(column.name for column in dataset.columns)
    ordered = tuple(column.name for column in dataset.columns if is_scalar(column))
    sorts = (*ordered, *(f"-{name}" for name in ordered))
    told = "`-` before a name is falling; nulls come last, then the keys decide."
    return (
        Parameter("select", many=True, choices=names, description="Only these columns."),
        Parameter("sort", many=True, choices=sorts, most=_MOST_SORTS, description=told),
    )


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an answer, for its documentation.

    It is a ``type`` (of column), a ``column`` (shown like that column), ``rows`` (a list of
    records with these columns), ``record`` (one with those of the dataset's columns that were
    asked for) or ``members`` (an object). With ``many`` it is a list of such, with ``named`` an
    object whose members have names of their own and are such.
    """

    type: str = ""
    column: str = ""
    rows: tuple[str, ...] = ()
    members: Mapping[str, "Member"] = field(default_factory=dict)
    record: bool = False
    many: bool = False
    named: bool = False
    nullable: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """All rows of a Query as one file, made once and kept on disk.

    ``format`` is a name of ``FORMATS``. ``options`` are of the format: ``bom`` and ``excel``
    of csv.
    """

    query: Query
    format: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A document in a form of its own, without ``metadata``; JSON, or YAML where that is asked."""

    content: Mapping[str, object]


Answered = Mapping[str, object] | Document | Export


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that a plugin offers for a dataset, below ``/api/v1``.

    ``answer`` turns a Call into the members of the body, to which ``metadata`` is added; or
    into an Export, or into a Document where it says ``document``. ``media`` are the types it
    answers in. A ``generic`` endpoint has its path below ``/datasets/<name>``. ``filters``
    lets every column be filtered by.
    ``columns`` names the columns it speaks of and which column of the dataset each one is,
    unless the registry's option ``columns`` says otherwise. ``reads`` are options that name
    another dataset. The registry's option ``path`` replaces ``path``.
    """

    name: str
    path: str
    answer: Callable[[Call], Answered]
    summary: str
    parameters: Sequence[Parameter] = ()
    returns: Mapping[str, Member] = field(default_factory=dict)
    columns: Mapping[str, str | Constant] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    description: str = ""
    generic: bool = False
    filters: bool = False
    media: tuple[str, ...] = (FORMATS["json"],)
    document: bool = False
