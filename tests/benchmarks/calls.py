"""Calls the front of a worker in a process that does nothing else; ``front`` starts it.

What is deployed has to be enough for it.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any
from wsgiref.util import setup_testing_defaults

from app.answers import KEPT
from app.service.worker import front_from_environment

_TURNS, _CALLS = 5, 4_000
# The log is written a little later, by a thread.
_WRITTEN_SECONDS = 0.2


class _Caller:
    """Asks the same again and again, as a server would."""

    def __init__(self, address: str) -> None:
        self._front = front_from_environment()
        path, _, query = address.partition("?")
        self._environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
        self._environ["HTTP_USER_AGENT"] = self._environ["HTTP_ACCEPT"] = "*/*"
        setup_testing_defaults(self._environ)
        self._status = ""
        self.headers: dict[str, str] = {}

    def cpu_us(self, expected: str, **headers: str) -> float:
        """Give the CPU time of one call in µs: of all threads, so with its line in the log.

        Raises:
            RuntimeError: it was not answered as expected.
        """
        environ = self._environ | headers
        took = []
        for _ in range(_TURNS):
            started = time.process_time()
            for _ in range(_CALLS):
                self._call(environ, expected)
            time.sleep(_WRITTEN_SECONDS)
            took.append((time.process_time() - started) / _CALLS * 1e6)
        return median(took)

    def _call(self, environ: dict[str, Any], expected: str) -> None:
        # It keeps what it finds out in the environment of a request.
        for _ in self._front(dict(environ), self._start):
            pass
        if self._status != expected:
            raise RuntimeError(self._status)

    def _start(self, status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        self._status, self.headers = status[:3], dict(headers)


def main(address: str, into: Path) -> None:
    """Measure a kept answer, and that nothing changed; write both as JSON.

    Raises:
        RuntimeError: the answer was not kept.
    """
    caller = _Caller(address)
    kept, headers = caller.cpu_us("200"), caller.headers
    if headers["Server-Timing"] != KEPT:
        raise RuntimeError(headers["Server-Timing"])
    tag = headers["ETag"]
    found = {"kept": kept, "unchanged": caller.cpu_us("304", HTTP_IF_NONE_MATCH=tag)}
    into.write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
