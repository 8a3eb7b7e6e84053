"""An Answer: finished bytes with headers, and the identity that names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from time import time
from typing import Any, Literal

import orjson

from app import __version__
from app.dataset import PUBLIC

Outcome = Literal["kept", "made"]
# About what an Answer costs beside its body.
_ANSWER_BYTES = 600
KEPT: Outcome = "kept"
MADE: Outcome = "made"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an Answer depends on, and nothing else: the cache key and the base of the ETag.

    ``query`` is canonical: the checked parameters with their defaults, in one order.
    ``freshness`` is told in the body, so an answer that was fresh is another one later.
    ``scope`` is what one needs to see it; Answers of different scopes have nothing in common.
    ``committed`` is when the Generation was: a state directory that is brought back from a copy
    gives its number again. ``text`` is all of it, the Generation first, so that its Answers go
    together.
    """

    generation: int
    route: str
    query: str
    freshness: str
    format: str = "json"
    encoding: str = ""
    scope: str = ""
    committed: str = ""
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = f"{self.generation}\n{self.route}\n{self.query}\n{self.format} {self.encoding}"
        of = f"{self.freshness}\n{self.scope}\n{self.committed}\n{__version__}"
        object.__setattr__(self, "text", f"{asked}\n{of}")

    @property
    def shareable(self) -> bool:
        """Tell whether it may leave the worker: nobody needs a scope, and it is not compressed."""
        return self.scope in {"", PUBLIC} and not self.encoding

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

    One that is ``spooled`` says only that: the rest is in a file of the same identity. It is
    kept ``until`` a time in seconds of the clock, and so is what is made of it.
    """

    body: bytes
    headers: Mapping[str, str]
    told: Mapping[str, object] = field(default_factory=dict)
    spooled: bool = False
    until: float = field(default=0.0, compare=False)

    def lasting(self, seconds: int) -> "Answer":
        """Give it with its end set: after so many seconds at most."""
        end = time() + seconds
        until = min(self.until, end) if self.until else end
        return Answer(self.body, self.headers, self.told, self.spooled, until)

    def fitted(self) -> "Answer":
        """Give it with a body of its own length: much unused room may follow one of JSON."""
        return replace(self, body=bytes(memoryview(self.body)))

    def __len__(self) -> int:
        """Give about how many bytes it takes."""
        return len(self.body) + _ANSWER_BYTES

    def as_bytes(self) -> bytes:
        """Write it for a cache: a line of JSON, then the body as it is."""
        head = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "body"}
        return orjson.dumps(head) + b"\n" + self.body

    @classmethod
    def from_bytes(cls, content: bytes) -> "Answer":
        """Read it from a cache."""
        head, _, body = content.partition(b"\n")
        given: dict[str, Any] = orjson.loads(head)
        return cls(body, **given)
