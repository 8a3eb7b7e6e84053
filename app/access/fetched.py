"""What stands at an https address, fetched again and again beside the requests. Never by one."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPS_PORT, HTTPException, HTTPSConnection
from threading import Event, Thread
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import structlog

from app.access.watched import MOST_BYTES

log = structlog.get_logger()

_SECONDS = 5.0
_EVERY_SECONDS = 60.0

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class _Fetch(Generic[Content]):
    """What was fetched last, and what is wrong since."""

    content: Content
    problem: str = ""


class Fetched(Generic[Content]):
    """What ``parse`` makes of the bytes at an address, and ``missing`` until some have come.

    It is fetched once here, and then each minute. What cannot be fetched, or is refused by
    ``parse`` with a ValueError, changes nothing: the last good content goes on to hold, and
    ``problem`` says what is wrong.
    """

    def __init__(self, address: str, parse: Callable[[bytes], Content], missing: Content) -> None:
        self._address = address
        self._parse = parse
        self._fetch = _Fetch(missing)
        self.fetch()
        Thread(target=self._keep_fetching, daemon=True).start()

    @property
    def problem(self) -> str:
        """Say what is wrong, without the address; empty if nothing."""
        return self._fetch.problem

    @property
    def content(self) -> Content:
        """Give what was fetched last."""
        return self._fetch.content

    def fetch(self) -> None:
        """Fetch it now."""
        try:
            self._fetch = _Fetch(self._parse(_read(self._address)))
        except (OSError, HTTPException, ValueError) as error:
            # Of what the other side says nothing is repeated.
            ours = isinstance(error, ValueError) and not isinstance(error, ssl.SSLError)
            problem = str(error) if ours else f"not fetched: {type(error).__name__}"
            if problem != self._fetch.problem:
                log.warning("token keys not fetched", reason=problem)
            self._fetch = replace(self._fetch, problem=problem)

    def _keep_fetching(self) -> None:
        never = Event()
        while not never.wait(_EVERY_SECONDS):
            self.fetch()


def _read(address: str) -> bytes:
    """Read an https address; one that leads elsewhere is not followed.

    Raises:
        OSError: it cannot be reached in time, or answers with anything but 200.
        ValueError: it is no address.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("not an https address")
    context = ssl.create_default_context()
    port = parts.port or HTTPS_PORT
    connection = HTTPSConnection(parts.hostname, port, timeout=_SECONDS, context=context)
    try:
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"answered with {answer.status}")
        return answer.read(MOST_BYTES + 1)
    finally:
        connection.close()
