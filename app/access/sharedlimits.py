"""Limits that the workers of a service hold together, by counting in Redis."""

from hashlib import blake2b
from time import time

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage

from app.access.limits import Limit
from app.redis import NoRedisError, Redis


class SharedLimit(Limit):
    """A limit of all workers together; while Redis is gone each holds it by itself.

    A worker learns what the others counted when it counts, so that whoever gives no reason to
    count is never looked up.
    """

    def __init__(self, name: str, most: int, redis: Redis) -> None:
        super().__init__(most)
        self._name = name
        self._redis = redis
        self._storage = RedisStorage("redis://", redis.pool, key_prefix=f"{redis.prefix}rate")
        self._item = RateLimitItemPerMinute(max(most, 1))

    def count(self, client: str) -> None:
        """Count one more, for all.

        Raises:
            TooManyRequestsError: it is one too many.
        """
        if not self.most:
            return
        self._redis.waits()
        super().count(client)
        # A client is as long as its token's subject, and is nobody's business in Redis.
        name = blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        key = self._item.key_for(self._name, name)
        try:
            with self._redis.asked():
                count = self._storage.incr(key, self._item.get_expiry())
                if count < self.most:
                    return
                left = self._storage.get_expiry(key) - time()
        except NoRedisError:
            return
        self.fill(client, left)
        if count > self.most:
            raise self._refusal(left)
