"""What each worker says of itself in the Store: which Generation it serves. Information only."""

import os
from contextlib import suppress
from typing import TypedDict

import orjson

from app.generation.store import Store


class WorkerMark(TypedDict):
    """One worker's word: what it serves, and which Generation it is ready for.

    ``dropped`` counts the Answers it forgot when it took the one it serves; ``watches`` tells
    whether it gets ready for what is announced.
    """

    id: str
    pid: int
    generation: int
    prepared: int
    dropped: int
    watches: bool


def mark_worker(store: Store, mark: WorkerMark) -> None:
    """Write down which Generation a worker serves; a full disk is no reason to stop serving."""
    aside = store.workers / f".{mark['id']}"
    with suppress(OSError):
        aside.write_bytes(orjson.dumps(mark))
        aside.rename(store.workers / f"{mark['id']}.json")


def worker_marks(store: Store) -> list[WorkerMark]:
    """Read what the workers that are alive say, by id; marks of dead ones are removed."""
    marks: list[WorkerMark] = []
    for path in sorted(store.workers.glob("*.json")):
        with suppress(OSError, ValueError):
            mark: WorkerMark = orjson.loads(path.read_bytes())
            if _alive(mark["pid"]):
                marks.append(mark)
            else:
                path.unlink(missing_ok=True)
    return marks


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
