"""A Visit: one request as the front knows it, handed to Flask in the WSGI environment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from app.access import ADMIN, Caller
from app.answers import Known
from app.dataset import PUBLIC, Dataset
from app.errors import NoGenerationError
from app.generation import Generation, Timing

VISIT = "assay.visit"
# What a request is refused with that was not let in.
REFUSAL = "assay.refusal"
# A list of what to call when the answer has left; without one it is called before.
AFTER = "assay.after"
# What a server tells of a request; of our own it holds the Visit.
Environ = Mapping[str, Any]
_EVERYONE = frozenset({PUBLIC})
# Of path and query together, as they are sent.
LONGEST_ADDRESS = 8192


@dataclass(slots=True)
class Visit:
    """What is settled before a view runs; ``told`` gathers what the log line will say.

    A request that its door did not wait for is begun again, with the same Visit: it was
    ``admitted`` then.

    ``current`` is the Generation that is read, which a request may choose. ``today`` is the one
    that decides who may read what, which no request can. A view leaves what is ``known`` of the
    ``address``, where its Answer may be given again, and the ``timing`` of what it has done.
    """

    request_id: str
    caller: Caller
    current: Generation | None
    told: dict[str, object] = field(default_factory=dict)
    today: Generation | None = None
    address: str | None = None
    known: Known | None = None
    read: int | None = None
    timing: Timing = field(default_factory=Timing)
    started: float = field(default_factory=perf_counter)
    admitted: bool = False

    def leave(self, known: Known, cache: str) -> None:
        """Say what the log needs of an Answer that leaves before a view runs."""
        self.told.update(known.told, cache=cache)
        self.read = known.generation

    @property
    def number(self) -> int | None:
        """Give the number of the Generation that was read."""
        if self.read is not None:
            return self.read
        return None if self.current is None else self.current.number

    @property
    def generation(self) -> Generation:
        """Give the pinned Generation.

        Raises:
            NoGenerationError: none has been made yet.
        """
        if self.current is None:
            raise NoGenerationError("No refresh has succeeded yet.")
        return self.current

    def access(self, dataset: str) -> str:
        """Give the scope that today's Registry demands of who reads a dataset.

        What it does not name any more nobody but an admin reads.
        """
        declared = None if self.today is None else self.today.registry.datasets.get(dataset)
        return ADMIN if declared is None else declared.access

    def may_read(self, dataset: str) -> bool:
        """Tell whether the caller may read a dataset, or know of it at all."""
        return self.caller.may(self.access(dataset))

    def readable(self, generation: Generation) -> dict[str, Dataset]:
        """Give the datasets of a Generation that are served today to this caller."""
        served = {} if self.today is None else self.today.datasets
        return {
            name: each
            for name, each in generation.datasets.items()
            if name in served and self.may_read(name)
        }

    def hidden(self, generation: Generation) -> frozenset[str]:
        """Give the names of the others."""
        return frozenset(generation.datasets.keys() - self.readable(generation).keys())


def cache_control(scopes: Iterable[str]) -> str:
    """Give the header of what needs these scopes: nobody keeps what is not public."""
    return "no-cache" if _EVERYONE.issuperset(scopes) else "private, no-store"


def visit_of(environ: Environ) -> Visit:
    """Give the Visit that the front put into the environment of a request."""
    visit: Visit = environ[VISIT]
    return visit


def path_of(environ: Environ) -> str:
    """Give the path that is asked for, as Flask has it; what is no UTF-8 never comes here."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode() or "/"
