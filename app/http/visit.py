"""A Visit: one request as the front knows it, handed to Flask in the WSGI environment."""

from dataclasses import dataclass, field

from flask import Request

from app.access import Caller
from app.answers import Known
from app.errors import NoGenerationError
from app.generation import Generation

VISIT = "assay.visit"
# Of path and query together, as they are sent.
LONGEST_ADDRESS = 8192


@dataclass(slots=True)
class Visit:
    """What is settled before a view runs; ``told`` gathers what the log line will say.

    A view leaves what is ``known`` of the address, where its Answer may be given again.
    """

    request_id: str
    caller: Caller
    current: Generation | None
    told: dict[str, object] = field(default_factory=dict)
    known: Known | None = None
    read: int | None = None

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


def visit_of(request: Request) -> Visit:
    """Give the Visit that the front put into the request's environment."""
    visit: Visit = request.environ[VISIT]
    return visit
