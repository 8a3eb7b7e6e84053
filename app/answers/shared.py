"""Answers that the workers of a service share, in Redis. What is wrong there costs one making.

A value is believed only if it bears our seal for the very Answer that was asked for.
"""

import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from time import monotonic, sleep, time

from cachelib.serializers import RedisSerializer
from flask_caching.backends.rediscache import RedisCache

from app.answers.answer import KEPT, MADE, Answer, Outcome
from app.redis import NoRedisError, Redis

_SEAL = 32
_MOST_BYTES = 1 << 20
# How long one may be awaited who makes an Answer; one that died is awaited no longer.
_TURN_SECONDS = 2.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.004, 0.064
_LET_GO = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"

Make = Callable[[], Answer]


class _AsTheyAre(RedisSerializer):
    """Leaves bytes as they are, where the back end would unpickle what anybody wrote."""

    def dumps(self, value: bytes, *_: object) -> bytes:
        return value

    def loads(self, value: bytes | None) -> bytes | None:
        return value


class BytesCache(RedisCache):
    """flask-caching's back end for bytes; reads no more of a value than we ever write."""

    serializer = _AsTheyAre()

    def get(self, key: str) -> bytes:
        """Give what is kept, cut if it is too large; nothing if nothing is."""
        name = f"{self.key_prefix}{key}"
        content: bytes = self._read_client.getrange(name, 0, _SEAL + _MOST_BYTES)
        return content


class Shared:
    """The Answers of all workers whose Store has this key."""

    def __init__(self, redis: Redis, key: bytes) -> None:
        self._redis = redis
        self._key = key
        self._cache = BytesCache(redis.client, key_prefix=redis.prefix)
        self._let_go = redis.client.register_script(_LET_GO)

    def answer(self, text: str, seconds: int, make: Make) -> tuple[Answer, Outcome]:
        """Give the Answer of that identity; ``make`` is called where there is none.

        Of the workers who ask for it at once one makes it, and the others wait a little. Whatever
        ``make`` raises is its caller's own.
        """
        found = self._find(text)
        if found is not None:
            return found, KEPT
        with self._turn(text) as found:
            if found is not None:
                return found, KEPT
            answer = make()
            self._keep(text, answer, seconds)
            return answer, MADE

    def works(self) -> bool:
        """Tell whether Redis takes what is written."""
        return self._redis.works()

    def _find(self, text: str) -> Answer | None:
        sealed = b""
        with suppress(NoRedisError), self._redis.asked():
            sealed = self._cache.get(self._name("answer", text))
        seal, content = sealed[:_SEAL], sealed[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(text, content)):
            return None
        # Another state of the code may have written it, under the same version.
        with suppress(ValueError, TypeError):
            answer = Answer.from_bytes(content)
            return answer if answer.until > time() else None
        return None

    def _keep(self, text: str, answer: Answer, seconds: int) -> None:
        content = answer.as_bytes()
        if len(content) > _MOST_BYTES:
            return
        sealed = self._seal(text, content) + content
        with suppress(NoRedisError), self._redis.asked():
            self._cache.set(self._name("answer", text), sealed, timeout=seconds)

    @contextmanager
    def _turn(self, text: str) -> Iterator[Answer | None]:
        """Hold the turn to make it; or wait for who holds it, and give what came of that."""
        turn, token = self._redis.prefix + self._name("turn", text), secrets.token_bytes(8)
        if not self._take(turn, token):
            yield self._awaited(text, turn)
            return
        try:
            # It may have been made between the look and the turn.
            yield self._find(text)
        finally:
            with suppress(NoRedisError), self._redis.asked():
                self._let_go([turn], [token])

    def _take(self, turn: str, token: bytes) -> bool:
        with suppress(NoRedisError), self._redis.asked():
            taken = self._redis.client.set(turn, token, nx=True, px=int(1000 * _TURN_SECONDS))
            return bool(taken)
        return True

    def _awaited(self, text: str, turn: str) -> Answer | None:
        until, pause = monotonic() + _TURN_SECONDS, _SHORTEST_PAUSE
        while monotonic() < until:
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            # In this order: what is made is there before its maker lets go.
            held = self._is_held(turn)
            found = self._find(text)
            if found is not None or not held:
                return found
        return None

    def _is_held(self, turn: str) -> bool:
        with suppress(NoRedisError), self._redis.asked():
            return bool(self._redis.client.exists(turn))
        return False

    def _name(self, kind: str, text: str) -> str:
        name = blake2b(text.encode(), key=self._key, digest_size=16, person=b"name")
        return f"{kind}:{name.hexdigest()}"

    def _seal(self, text: str, content: bytes) -> bytes:
        name = text.encode()
        seal = blake2b(len(name).to_bytes(8), key=self._key, digest_size=_SEAL, person=b"answer")
        seal.update(name)
        seal.update(content)
        return seal.digest()
