"""One client that keeps its connection, and costs next to nothing itself."""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

_LONGEST_SECONDS = 120
_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; the names of its headers are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection:
    """Asks one request after the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_LONGEST_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb", _BUFFER_BYTES)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, request: bytes) -> Reply:
        """Send a request and take the whole answer.

        Raises:
            ConnectionError: the target has closed the connection.
        """
        self._socket.sendall(request)
        first = self._file.readline()
        if not first:
            raise ConnectionError("closed")
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return Reply(int(first.split()[1]), headers, self._body(headers))

    def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding") == b"chunked":
            return b"".join(self._pieces())
        length = headers.get(b"content-length")
        # Without either the body ends with the connection.
        return self._file.read() if length is None else self._file.read(int(length))

    def _pieces(self) -> Iterable[bytes]:
        while size := int(self._file.readline().partition(b";")[0], 16):
            yield self._file.read(size)
            self._file.readline()
        self._file.readline()


@dataclass(frozen=True, slots=True)
class Latency:
    """What one client waited, in milliseconds."""

    p50_ms: float
    p99_ms: float


def measure(port: int, requests: Iterable[bytes], seconds: float) -> Latency:
    """Ask for so many seconds, and twice at least; the first answer warms up and is not counted.

    Raises:
        RuntimeError: an answer was not 200.
    """
    took: list[float] = []
    until = time.perf_counter() + seconds
    with Connection(port) as connection:
        for number, request in enumerate(requests):
            started = time.perf_counter()
            status = connection.ask(request).status
            ended = time.perf_counter()
            if status != 200:
                raise RuntimeError(f"answered {status}")
            if number:
                took.append((ended - started) * 1000)
            if ended > until and len(took) > 1:
                break
    return latency(took)


def latency(took: list[float]) -> Latency:
    """Sum up at least two times."""
    return Latency(median(took), quantiles(took, n=100, method="inclusive")[98])
