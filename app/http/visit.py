"""A Visit: one request as the front knows it, handed to Flask in the WSGI environment."""

from dataclasses import dataclass, field

from flask import Request

from app.access import Caller
from app.errors import NoGenerationError
from app.generation import Generation

VISIT = "assay.visit"


@dataclass(slots=True)
class Visit:
    """What is settled before a view runs; ``told`` gathers what the log line will say."""

    request_id: str
    caller: Caller
    current: Generation | None
    told: dict[str, object] = field(default_factory=dict)

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
