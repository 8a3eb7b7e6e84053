"""How refreshes have ended: how often, when last, how long that took. For who watches them."""

from contextlib import suppress
from typing import TypedDict, cast

import orjson

from app.generation import Store, write_whole
from app.refresh.job import Job


class Outcome(TypedDict):
    """The refreshes that ended in one way; ``seconds`` are those of the last one, if it ran."""

    count: int
    last: str | None
    seconds: float | None


class Outcomes:
    """One small file in the Store: the book of jobs forgets old ones, and is long to read."""

    def __init__(self, store: Store) -> None:
        self._path = store.path / "outcomes.json"

    def read(self) -> dict[str, Outcome]:
        """Give them by name: ``succeeded``, ``unchanged``, ``failed`` and ``interrupted``."""
        with suppress(OSError, ValueError):
            return cast("dict[str, Outcome]", orjson.loads(self._path.read_bytes()))
        return {}

    def count(self, job: Job) -> None:
        """Count a job that has ended; to be called by one at a time."""
        known = self.read()
        before = known[job.outcome]["count"] if job.outcome in known else 0
        told = Outcome(count=before + 1, last=job.finished_at, seconds=job.seconds)
        # It is there to be looked at; a job has ended all the same.
        with suppress(OSError):
            write_whole(self._path, orjson.dumps({**known, job.outcome: told}))
