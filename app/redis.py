"""Redis, where one is configured: asked with little patience, and left alone while it is gone.

Whoever asks must be able to go on without an answer. Never says where Redis is: its address may
hold a password.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import import_module
from threading import Lock
from time import monotonic
from typing import Any

import structlog

log = structlog.get_logger()

_SECONDS = 0.05
# RESP 3 would let the server move a connection and stretch its time; a client that gives its
# name does so in round trips of their own.
_PATIENCE: dict[str, Any] = {
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "retry": None,
    "protocol": 2,
    "driver_info": None,
}
_LEFT_ALONE_SECONDS = 2.0
_QUIET_SECONDS = 60.0


class NoRedisError(Exception):
    """Redis gave no answer in time, or refused, or is left alone for now."""


class Redis:
    """One Redis, asked by all threads of a worker; ``key`` is the Store's.

    Of all names that begin with ``prefix`` no other Store knows the key, so that services may
    share a Redis. What fails once leaves it alone for some seconds; then one caller tries.
    Whoever asks on behalf of a request calls ``waits`` before.
    """

    def __init__(self, url: str, key: bytes, waits: Callable[[], None] = lambda: None) -> None:
        self.waits = waits
        # Found by its name: a worker that is told of no Redis is ready sooner without.
        library = import_module("redis")
        self.pool = library.ConnectionPool.from_url(url, **_PATIENCE)
        self.client = library.Redis(connection_pool=self.pool)
        self._refusal: type[Exception] = library.ResponseError
        self.prefix = f"assay:{blake2b(key=key, digest_size=8, person=b'redis').hexdigest()}:"
        self._gone = False
        self._again = self._quiet_until = 0.0
        self._lock = Lock()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask it something by ``client`` or ``pool``.

        Raises:
            NoRedisError: there is no answer, whatever went wrong.
        """
        if self._gone and not self._may_try():
            raise NoRedisError
        try:
            yield
        except self._refusal as error:
            self._come_back()
            self._tell_refusal(error)
            raise NoRedisError from None
        # BLE001: what speaks another protocol makes the client fail in many ways.
        except Exception as error:  # noqa: BLE001
            self._leave(error)
            raise NoRedisError from None
        self._come_back()

    def works(self) -> bool:
        """Tell whether it takes what is written, now: it is asked even if it is left alone."""
        self._again = 0.0
        with suppress(NoRedisError), self.asked():
            self.client.set(f"{self.prefix}probe", b"", px=1000)
            return True
        return False

    def _may_try(self) -> bool:
        with self._lock:
            now = monotonic()
            if now < self._again:
                return False
            self._again = now + _LEFT_ALONE_SECONDS
            return True

    def _leave(self, error: Exception) -> None:
        with self._lock:
            first, self._gone = not self._gone, True
            self._again = monotonic() + _LEFT_ALONE_SECONDS
        if first:
            # Not its text: some servers repeat what they were sent, and that may be a password.
            log.warning("redis left alone", reason=type(error).__name__)

    def _come_back(self) -> None:
        if not self._gone:
            return
        with self._lock:
            first, self._gone = self._gone, False
        if first:
            log.info("redis is back")

    def _tell_refusal(self, error: Exception) -> None:
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            log.warning("redis refuses", reason=type(error).__name__)
