"""Answers that the workers of a service share, in Redis. What is wrong there costs one making.

A value is believed only if it bears our seal for the very Answer that was asked for.
"""

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from time import monotonic, sleep, time

from cachelib.serializers import RedisSerializer
from flask_caching.backends.rediscache import RedisCache

from app.answers.answer import KEPT, MADE, Answer, Outcome
from app.redis import NoRedisError, Redis

_SEAL = 32
_MOST_BYTES = 1 << 20
_MOST_READ = _SEAL + _MOST_BYTES
# How long one may be awaited who makes an Answer; one that died is awaited no longer.
_TURN_SECONDS = 2.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.004, 0.064
# One step, so that nobody can make it between the look and the turn.
_LOOK_OR_TAKE_TURN = """
local value = redis.call('getrange', KEYS[1], 0, ARGV[1])
if value ~= '' then return {value, 0} end
return {'', redis.call('set', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) and 1 or 0}
"""
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
        content: bytes = self._read_client.getrange(name, 0, _MOST_READ)
        return content


class Shared:
    """The Answers of all workers whose Store has this key."""

    def __init__(self, redis: Redis, key: bytes) -> None:
        self._redis = redis
        self._key = key
        self._cache = BytesCache(redis.client, key_prefix=redis.prefix)
        self._look_or_take_turn = redis.client.register_script(_LOOK_OR_TAKE_TURN)
        self._let_go = redis.client.register_script(_LET_GO)

    def answer(self, text: str, seconds: int, make: Make) -> tuple[Answer, Outcome]:
        """Give the Answer of that identity; ``make`` is called where there is none.

        Of the workers who ask for it at once one makes it, and the others wait a little. Whatever
        ``make`` raises is its caller's own.
        """
        found = self._find(text)
        if found is not None:
            return found, KEPT
        token = secrets.token_bytes(8)
        found = self._awaited(text, token)
        if found is not None:
            return found, KEPT
        try:
            answer = make()
            self._keep(text, answer, seconds)
            return answer, MADE
        finally:
            with suppress(NoRedisError), self._redis.asked():
                self._let_go([self._turn(text)], [token])

    def works(self) -> bool:
        """Tell whether Redis takes what is written."""
        return self._redis.works()

    def _find(self, text: str) -> Answer | None:
        sealed = b""
        with suppress(NoRedisError), self._redis.asked():
            sealed = self._cache.get(self._name("answer", text))
        return self._unsealed(text, sealed)

    def _awaited(self, text: str, token: bytes) -> Answer | None:
        """Give what another makes just now; None where it is this caller's turn to make it."""
        keys = [f"{self._redis.prefix}{self._name('answer', text)}", self._turn(text)]
        arguments: list[bytes | int] = [_MOST_READ, token, int(1000 * _TURN_SECONDS)]
        until, pause = monotonic() + _TURN_SECONDS, _SHORTEST_PAUSE
        with suppress(NoRedisError):
            while monotonic() < until:
                with self._redis.asked():
                    sealed, mine = self._look_or_take_turn(keys, arguments)
                if sealed or mine:
                    return self._unsealed(text, sealed)
                sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    def _keep(self, text: str, answer: Answer, seconds: int) -> None:
        content = answer.as_bytes()
        if len(content) > _MOST_BYTES:
            return
        sealed = self._seal(text, content) + content
        with suppress(NoRedisError), self._redis.asked():
            self._cache.set(self._name("answer", text), sealed, timeout=seconds)

    def _unsealed(self, text: str, sealed: bytes) -> Answer | None:
        seal, content = sealed[:_SEAL], sealed[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(text, content)):
            return None
        # Another state of the code may have written it, under the same version.
        with suppress(ValueError, TypeError):
            answer = Answer.from_bytes(content)
            return answer if answer.until > time() else None
        return None

    def _turn(self, text: str) -> str:
        return f"{self._redis.prefix}{self._name('turn', text)}"

    def _name(self, kind: str, text: str) -> str:
        name = blake2b(text.encode(), key=self._key, digest_size=16, person=b"name")
        return f"{kind}:{name.hexdigest()}"

    def _seal(self, text: str, content: bytes) -> bytes:
        name = text.encode()
        seal = blake2b(len(name).to_bytes(8), key=self._key, digest_size=_SEAL, person=b"answer")
        seal.update(name)
        seal.update(content)
        return seal.digest()
