"""A Reply: what a view of ours gives, before any framework has made a response of it."""

from collections.abc import Mapping
from typing import NamedTuple

from flask import Response

from app.answers import Pieces

OK = "200 OK"
PARTIAL = "206 PARTIAL CONTENT"
UNCHANGED = "304 NOT MODIFIED"


class Reply(NamedTuple):
    """Status line, headers and body; the headers of a body tell its length."""

    status: str
    headers: Mapping[str, str]
    body: bytes | Pieces = b""

    def response(self) -> Response:
        """Give it as Flask wants it."""
        pieces = isinstance(self.body, Pieces)
        return Response(self.body, self.status, self.headers, direct_passthrough=pieces)
