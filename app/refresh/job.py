"""A Job: one run of a refresh, the calls that it answers, and the record of what came of it."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

_FINISHED = ("succeeded", "unchanged", "failed")
INTERRUPTED: Mapping[str, object] = {
    "type": "refresh-failed",
    "title": "Refresh failed",
    "status": 500,
    "detail": "The builder ended before it was done; nothing changed.",
    "reason": "interrupted",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What one call asked for: whose data to look at again; nothing named means all of it.

    With ``generation`` it asked for that one to come back, and for nothing else. Who called is
    ``by``, from which ``address`` and under which ``request_id``, as far as that is known.
    """

    source: str | None = None
    datasets: tuple[str, ...] = ()
    force: bool = False
    by: str = ""
    generation: int | None = None
    # Whoever asks for the same again asks for nothing more.
    address: str = field(default="", compare=False)
    request_id: str = field(default="", compare=False)

    def looks_at(self, dataset: str, source: str) -> bool:
        """Tell whether this call wants that dataset's data looked at again."""
        if self.datasets:
            return dataset in self.datasets
        return self.source in (None, source)


@dataclass(frozen=True, slots=True)
class Job:
    """The record of one run; ``requests`` are the calls that it answers.

    ``registry`` is the fingerprint of the one that it read.
    """

    job_id: str
    requests: tuple[Request, ...]
    status: str = "triggered"
    requested_at: str = ""
    estimated_completion: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    generation: Mapping[str, int | None] = field(default_factory=lambda: {"from": None, "to": None})
    progress: Mapping[str, int] = field(default_factory=lambda: {"done": 0, "total": 0})
    datasets: tuple[Mapping[str, object], ...] = ()
    problem: Mapping[str, object] | None = None
    registry: str | None = None

    @property
    def seconds(self) -> float | None:
        """Give how long it ran, once it is finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        took = datetime.fromisoformat(self.finished_at) - datetime.fromisoformat(self.started_at)
        return round(took.total_seconds(), 3)

    @property
    def finished(self) -> bool:
        """Tell whether nothing will change in this record."""
        return self.status in _FINISHED

    @property
    def outcome(self) -> str:
        """Give its status; one whose builder was killed is ``interrupted``."""
        killed = self.problem is not None and self.problem.get("reason") == INTERRUPTED["reason"]
        return str(INTERRUPTED["reason"]) if killed else self.status

    def as_bytes(self) -> bytes:
        """Write it as JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Job":
        """Read it from JSON."""
        given: dict[str, Any] = orjson.loads(content)
        asked = [dict(each) for each in given.pop("requests")]
        requests = tuple(Request(**{**r, "datasets": tuple(r["datasets"])}) for r in asked)
        return cls(requests=requests, datasets=tuple(given.pop("datasets")), **given)


def now() -> str:
    """Give the time as records show it."""
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """Give a moment, in seconds of the clock, as records show it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
