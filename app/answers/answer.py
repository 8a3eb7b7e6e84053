"""An Answer: finished bytes with headers, and the identity that names them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import orjson

from app import __version__

Outcome = Literal["kept", "made"]
KEPT: Outcome = "kept"
MADE: Outcome = "made"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an Answer depends on, and nothing else: the cache key and the base of the ETag.

    ``query`` is canonical: the checked parameters with their defaults, in one order.
    ``freshness`` is told in the body, so an answer that was fresh is another one later.
    ``scope`` is what one needs to see it; Answers of different scopes have nothing in common.
    """

    generation: int
    route: str
    query: str
    freshness: str
    format: str = "json"
    encoding: str = ""
    scope: str = ""

    @property
    def text(self) -> str:
        """Write it as one line; the Generation comes first, so that its Answers go together."""
        form = f"{self.format} {self.encoding}"
        asked = (self.generation, self.route, self.query, form)
        return "\n".join(map(str, (*asked, self.freshness, self.scope, __version__)))

    @property
    def file(self) -> str:
        """Name the file of a spooled Answer; the Generation comes first."""
        return f"{self.generation}-{blake2b(self.text.encode(), digest_size=16).hexdigest()}"

    def etag(self, key: bytes) -> str:
        """Give the ETag: a keyed hash, so that nobody can guess another's.

        It is weak: the same question asked again gives the same figures, but the last digit of
        a sum of floats may depend on the order in which threads added them.
        """
        return f'W/"{blake2b(self.text.encode(), key=key, digest_size=16).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Answer:
    """Finished bytes; ``told`` is what the request's log line repeats.

    One that is ``spooled`` says only that: the rest is in a file of the same identity.
    """

    body: bytes
    headers: Mapping[str, str]
    told: Mapping[str, object] = field(default_factory=dict)
    spooled: bool = False

    def as_bytes(self) -> bytes:
        """Write it for a cache: a line of JSON, then the body as it is."""
        head = {name: value for name, value in asdict(self).items() if name != "body"}
        return orjson.dumps(head) + b"\n" + self.body

    @classmethod
    def from_bytes(cls, content: bytes) -> "Answer":
        """Read it from a cache."""
        head, _, body = content.partition(b"\n")
        given: dict[str, Any] = orjson.loads(head)
        return cls(body, **given)
