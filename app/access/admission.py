"""Admits requests: names the Caller, slows down who guesses keys, and holds everyone to a rate."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from app.access.caller import Caller
from app.access.keyring import Keyring
from app.access.limits import Limit
from app.errors import CredentialError, RateUnknownError
from app.redis import Redis
from app.settings import Settings

# Asked by what would else end a healthy process.
PROBES = {"/health/live", "/health/ready"}


class Admission:
    """Stands before everything else; knows a request by its WSGI environment alone.

    With ``redis`` all workers count together.
    """

    def __init__(self, keyring: Keyring, settings: Settings, redis: Redis | None = None) -> None:
        self._keyring = keyring
        self._guesses = _limit("guesses", settings.guesses_per_minute, redis)
        self._requests = _limit("requests", settings.requests_per_minute, redis)
        self._redis = redis if self._guesses.most or self._requests.most else None
        self._proxies = settings.trusted_proxies

    def caller(self, environ: Mapping[str, Any]) -> Caller:
        """Name the caller of a request.

        Raises:
            ConflictingCredentialsError: two different credentials are given.
            CredentialError: the one that is given is not valid.
            TooManyRequestsError: too many wrong ones came from there, or too many requests.
            RateUnknownError: it would change something, and nobody knows how many there were.
        """
        address = client_address(environ, self._proxies)
        given = environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY")
        if given != (None, None):
            # Before it is looked at: else the right guess would still be told.
            self._guesses.check(address)
        try:
            caller = self._keyring.caller(*given)
        except CredentialError:
            self._guesses.count(address)
            raise
        if environ.get("PATH_INFO") not in PROBES:
            self._requests.count(caller.key_id or address)
        if self._redis and environ.get("REQUEST_METHOD") == "POST" and not self._redis.works():
            raise RateUnknownError("Requests cannot be counted now; reading goes on.")
        return caller


def _limit(name: str, most: int, redis: Redis | None) -> Limit:
    if redis is None:
        return Limit(most)
    # Found by its name: a worker that is told of no Redis is ready sooner without.
    shared: Limit = import_module("app.access.sharedlimits").SharedLimit(name, most, redis)
    return shared


def client_address(environ: Mapping[str, Any], proxies: int) -> str:
    """Give the address of the client, as told by that many proxies of our own.

    Each of them adds whom it saw at the end of ``X-Forwarded-For``. What stands before is what
    the client said itself.
    """
    seen = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    told = seen[-proxies].strip() if 0 < proxies <= len(seen) else ""
    return told or str(environ.get("REMOTE_ADDR", ""))
