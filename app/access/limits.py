"""How often a client did something in the running minute. Bounded; counted by this worker alone."""

from collections import OrderedDict
from threading import Lock
from time import monotonic

from app.errors import TooManyRequestsError

MINUTE = 60.0
# A client that is forgotten because others came is counted from nothing again.
_MOST_CLIENTS = 100_000


class Limit:
    """At most so many a minute for each client; 0 is no limit."""

    def __init__(self, most: int) -> None:
        self.most = most
        # By client: when its minute began, and how many there were.
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def check(self, client: str) -> None:
        """Refuse a client that has had all of its minute.

        Raises:
            TooManyRequestsError: it has to wait.
        """
        began, count = self._counted.get(client, (0.0, 0))
        left = began + MINUTE - monotonic()
        if self.most and count >= self.most and left > 0:
            raise self._refusal(left)

    def count(self, client: str) -> None:
        """Count one more.

        Raises:
            TooManyRequestsError: it is one too many.
        """
        if not self.most:
            return
        now = monotonic()
        with self._lock:
            began, count = self._counted.pop(client, (now, 0))
            if now - began >= MINUTE:
                began, count = now, 0
            self._counted[client] = (began, count + 1)
            while len(self._counted) > _MOST_CLIENTS:
                self._counted.popitem(last=False)
        if count >= self.most:
            raise self._refusal(began + MINUTE - now)

    def fill(self, client: str, seconds: float) -> None:
        """Take all that is left of a minute that ends in so many seconds."""
        with self._lock:
            self._counted[client] = (monotonic() - MINUTE + seconds, self.most)

    def _refusal(self, left: float) -> TooManyRequestsError:
        told = f"At most {self.most} a minute are answered."
        return TooManyRequestsError(told, seconds=int(left) + 1)
