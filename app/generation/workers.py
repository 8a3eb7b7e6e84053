"""What each worker says of itself in the Store: which Generation it serves. Information only."""

from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import orjson

from app.generation.store import Store

# The place of `starttime` after the process's name, in proc(5).
_BEGAN = 19


class WorkerMark(TypedDict):
    """One worker's word: what it serves, and which Generation it is ready for.

    ``dropped`` counts the Answers it forgot when it took the one it serves; ``watches`` tells
    whether it gets ready for what is announced.
    """

    id: str
    pid: int
    generation: int
    ready: int
    dropped: int
    watches: bool


def mark_worker(store: Store, mark: WorkerMark) -> None:
    """Write down which Generation a worker serves; a full disk is no reason to stop serving."""
    aside = store.workers / f".{mark['id']}"
    with suppress(OSError):
        aside.write_bytes(orjson.dumps({**mark, "born": born(mark["pid"])}))
        aside.rename(store.workers / f"{mark['id']}.json")


def worker_marks(store: Store) -> list[WorkerMark]:
    """Read what the workers that are alive say, by id; marks of dead ones are removed."""
    marks: list[WorkerMark] = []
    for path in sorted(store.workers.glob("*.json")):
        with suppress(OSError, ValueError):
            mark = orjson.loads(path.read_bytes())
            began = mark.pop("born", None)
            if began is not None and born(mark["pid"]) == began:
                marks.append(mark)
            else:
                path.unlink(missing_ok=True)
    return marks


def born(pid: int) -> str | None:
    """Give when a process began, since ids are given again; None where there is none."""
    try:
        # The name in brackets may hold anything, so it is counted from the last bracket.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[_BEGAN]
