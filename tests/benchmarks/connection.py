"""One client that keeps its connection, and costs next to nothing itself."""

import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

_LONGEST_SECONDS = 120
_BUFFER_BYTES = 1 << 18
_END = b"\r\n\r\n"
# Of a head only what tells how long the body is: to read all of it would cost who has many headers.
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes


class Connection:
    """Asks one request after the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_LONGEST_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER_BYTES)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> Reply:
        """Send a request and take the whole answer.

        Raises:
            ConnectionError: the target has closed the connection.
        """
        self._socket.sendall(request)
        got = self._more()
        while (end := got.find(_END)) < 0:
            got += self._more()
        head, body = got[:end], got[end + len(_END) :]
        length = _LENGTH.search(head)
        if length is not None:
            body = self._whole(body, int(length[1]))
        elif _CHUNKED.search(head):
            body = self._joined(body)
        else:
            # Without either the body ends with the connection.
            body += b"".join(iter(lambda: self._socket.recv(_BUFFER_BYTES), b""))
        return Reply(int(head[9:12]), body)

    def _more(self) -> bytes:
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise ConnectionError("closed")
        return bytes(memoryview(self._buffer)[:count])

    def _whole(self, body: bytes, length: int) -> bytes:
        pieces, missing = [body], length - len(body)
        while missing > 0:
            pieces.append(self._more())
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _joined(self, got: bytes) -> bytes:
        """Give a body that comes in pieces, each after its length."""
        pieces = []
        while True:
            while (end := got.find(b"\r\n")) < 0:
                got += self._more()
            size, got = int(got[:end].partition(b";")[0], 16), got[end + 2 :]
            got = self._whole(got, size + 2)
            if not size:
                return b"".join(pieces)
            pieces.append(got[:size])
            got = got[size + 2 :]


@dataclass(frozen=True, slots=True)
class Latency:
    """What one client waited, in milliseconds."""

    p50_ms: float
    p99_ms: float


def waits(port: int, requests: Iterable[bytes], seconds: float) -> list[float]:
    """Ask for so many seconds, and give what each answer took in milliseconds.

    There are two of them at least; the first answer warms up and is none of them.

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
    return took


def latency(took: list[float]) -> Latency:
    """Sum up at least two times."""
    return Latency(median(took), quantiles(took, n=100, method="inclusive")[98])
