"""Where the lines of a log go: to a stream, each at once or several together."""

import atexit
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TextIO

from app.logs.events import Facts, line_of

# What is longer can be torn by another process that writes to the same pipe.
_PIECE_BYTES = 4096
_GATHER_SECONDS = 0.01
_MOST_GATHERED = 10_000


class Lines:
    """Writes events as lines; a stream that is closed or full costs the line, never the request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def put(self, event: Facts) -> None:
        """Write an event as a line."""
        self._write(line_of(event) + "\n")

    def _write(self, text: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


class GatheredLines(Lines):
    """Writes together what comes within some milliseconds, by a thread of its own.

    Lines that are made one after the other take less time than each does among requests, and
    whoever reads the log slowly keeps no request waiting, up to some thousand lines. What was put
    is written before the process exits, unless it is killed.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._gathered: deque[Facts] = deque()
        self._some = Event()
        self._writing = Lock()
        Thread(target=self._keep_writing, daemon=True).start()
        atexit.register(self.write_out)

    def put(self, event: Facts) -> None:
        """Have an event written soon; waits where the stream takes no more."""
        self._gathered.append(event)
        if not self._some.is_set():
            self._some.set()
        if len(self._gathered) > _MOST_GATHERED:
            self.write_out()

    def write_out(self) -> None:
        """Write all that was put."""
        with self._writing:
            for piece in self._pieces():
                self._write(piece)

    def _pieces(self) -> Iterator[str]:
        """Give the lines as pieces of whole lines, as long as there are any."""
        piece: list[str] = []
        size = 0
        while self._gathered:
            line = line_of(self._gathered.popleft()) + "\n"
            if piece and size + len(line) > _PIECE_BYTES:
                yield "".join(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        if piece:
            yield "".join(piece)

    def _keep_writing(self) -> None:
        pause = Event()
        while self._some.wait():
            pause.wait(_GATHER_SECONDS)
            # Before they are written: a line that comes meanwhile sets it again.
            self._some.clear()
            self.write_out()
