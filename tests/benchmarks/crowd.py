"""A crowd: hundreds of clients in one process, each asking again as soon as it has its answer.

python -m tests.benchmarks.crowd PORT CLIENTS SECONDS < requests

The requests stand in standard input with NUL between them. Written as JSON is what came of them.
Other than wrk it tells answers from refusals.
"""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from selectors import EVENT_READ, DefaultSelector
from socket import create_connection, socket

import click

from tests.benchmarks.connection import latency

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PIECE = 1 << 16
# What is under way at the end is still waited for: a late answer is an answer.
_LONGEST_GOODBYE_SECONDS = 30


@dataclass(slots=True)
class Client:
    """One of the crowd, and the answer it is just getting."""

    socket: socket
    asked: float = 0.0
    got: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes) -> None:
        """Send the next request."""
        self.got.clear()
        self.asked = time.perf_counter()
        self.socket.sendall(request)

    def has_answer(self) -> bool:
        """Take what has come; tell whether the answer is whole.

        Raises:
            ConnectionError: the other side has closed.
        """
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise ConnectionError("closed")
        self.got += piece
        head = self.got.find(b"\r\n\r\n")
        length = _LENGTH.search(self.got, 0, head) if head >= 0 else None
        return length is not None and len(self.got) >= head + 4 + int(length[1])

    @property
    def status(self) -> int:
        """Give the status of the answer."""
        return int(self.got[9:12])

    @property
    def says_when(self) -> bool:
        """Tell whether the answer says when to come again."""
        return b"retry-after:" in self.got[: self.got.find(b"\r\n\r\n")].lower()


@dataclass(slots=True)
class Crowd:
    """What came of all requests: the times of those that were answered, and the refusals."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    told_when: int = 0

    def take(self, client: Client) -> None:
        """Count one answer."""
        self.statuses[client.status] += 1
        self.told_when += client.says_when
        if client.status == 200:
            self.took.append((time.perf_counter() - client.asked) * 1000)

    def share(self, *statuses: int) -> float:
        """Give the percentage of answers with one of these statuses."""
        return 100 * sum(self.statuses[each] for each in statuses) / self.statuses.total()


def gather(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> Crowd:
    """Have so many clients ask for so many seconds, and wait for their last answers."""
    crowd, selector = Crowd(), DefaultSelector()
    for _ in range(clients):
        client = Client(create_connection(("127.0.0.1", port)))
        selector.register(client.socket, EVENT_READ, client)
    for key in list(selector.get_map().values()):
        key.data.ask(next(requests))
    until = time.perf_counter() + seconds
    while selector.get_map() and time.perf_counter() < until + _LONGEST_GOODBYE_SECONDS:
        for key, _ in selector.select(timeout=1):
            client = key.data
            if not client.has_answer():
                continue
            crowd.take(client)
            if time.perf_counter() < until:
                client.ask(next(requests))
            else:
                selector.unregister(client.socket)
    return crowd


@click.command()
@click.argument("port", type=int)
@click.argument("clients", type=int)
@click.argument("seconds", type=float)
def main(port: int, clients: int, seconds: float) -> None:
    """Put the requests of standard input to PORT."""
    requests = sys.stdin.buffer.read().split(b"\0")
    crowd = gather(port, clients, seconds, cycle(requests))
    found = {
        "200_pct": crowd.share(200),
        "429_pct": crowd.share(429),
        "503_pct": crowd.share(503),
        "Retry-After_pct": 100 * crowd.told_when / crowd.statuses.total(),
        "answers_per_second": len(crowd.took) / seconds,
        "p99_ms": latency(crowd.took).p99_ms,
    }
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
