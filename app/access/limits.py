"""How often a client did something in the running minute. Bounded; each worker counts by itself."""

from collections import OrderedDict
from threading import Lock
from time import monotonic

from app.errors import TooManyRequestsError

_MINUTE = 60.0
# A client that is forgotten because others came is counted from nothing again.
_MOST_CLIENTS = 100_000


class Limit:
    """At most so many a minute for each client; 0 is no limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        # By client: when its minute began, and how many there were.
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def check(self, client: str) -> None:
        """Refuse a client that has had all of its minute.

        Raises:
            TooManyRequestsError: it has to wait.
        """
        began, count = self._counted.get(client, (0.0, 0))
        left = began + _MINUTE - monotonic()
        if self._most and count >= self._most and left > 0:
            told = f"At most {self._most} a minute are answered."
            raise TooManyRequestsError(told, seconds=int(left) + 1)

    def count(self, client: str) -> None:
        """Count one more."""
        if not self._most:
            return
        now = monotonic()
        with self._lock:
            began, count = self._counted.pop(client, (now, 0))
            fresh = now - began >= _MINUTE
            self._counted[client] = (now, 1) if fresh else (began, count + 1)
            if len(self._counted) > _MOST_CLIENTS:
                self._counted.popitem(last=False)
