"""Headers that every answer has, and those by which pages of other origins may read it."""

from collections.abc import Mapping
from typing import Any

Headers = list[tuple[str, str]]

ANY = "*"
_POLICY = "Content-Security-Policy"
_ALWAYS: Headers = [
    ("Server", "Assay"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
# What is data is never a page: it loads nothing, and stands in no frame.
_NO_PAGE = (_POLICY, "default-src 'none'; frame-ancestors 'none'")
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Range, Deprecation, ETag, Link, Location,"
    " Retry-After, Server-Timing, WWW-Authenticate, X-Dataset-Id, X-Generation, X-Model-Version,"
    " X-Request-Id"
)
_ASKING = "If-None-Match, If-Range, Prefer, Range, X-Request-Id"
_PREFLIGHT_VARY = "Access-Control-Request-Headers, Access-Control-Request-Method"
_PREFLIGHT_SECONDS = "600"


class Manners:
    """Dresses every answer just before it leaves, so that nothing kept knows of an origin.

    ``origins`` are those whose pages may read, with commas between; none is the empty text. Pages
    of any origin (``*``) may read what is public, and no browser lets them send a key. Cookies
    are never asked for, so no answer allows them.
    """

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(filter(None, origins.split(",")))

    def preflight(self, environ: Mapping[str, Any]) -> Headers | None:
        """Give the headers that answer a browser's question before its request; None for others.

        They are the same for every address: what exists is not told, and no key is needed.
        """
        asks = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        if not self._origins or not asks or environ["REQUEST_METHOD"] != "OPTIONS":
            return None
        vary = ("Vary", _PREFLIGHT_VARY)
        if self._allowed(environ) is None:
            return [vary]
        known = ANY not in self._origins
        return [
            vary,
            ("Access-Control-Allow-Methods", "GET, HEAD, POST" if known else "GET, HEAD"),
            (
                "Access-Control-Allow-Headers",
                f"{_ASKING}, Authorization, Content-Type, X-API-Key" if known else _ASKING,
            ),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        ]

    def dressed(self, headers: Headers, environ: Mapping[str, Any]) -> Headers:
        """Give the headers of an answer with all that it needs beside its own."""
        dressed = [*headers, *_ALWAYS]
        if _POLICY not in dict(headers):
            dressed.append(_NO_PAGE)
        if not self._origins:
            return dressed
        allowed = self._allowed(environ)
        if allowed is not None:
            dressed.append(("Access-Control-Allow-Origin", allowed))
            dressed.append(("Access-Control-Expose-Headers", _EXPOSED))
        return dressed if ANY in self._origins else _varying(dressed)

    def _allowed(self, environ: Mapping[str, Any]) -> str | None:
        """Give the origin that is told to be allowed; None if the request's own is not."""
        if ANY in self._origins:
            return ANY
        origin: str | None = environ.get("HTTP_ORIGIN")
        return origin if origin in self._origins else None


def _varying(headers: Headers) -> Headers:
    """Say that another origin gets other headers, also where this one gets none."""
    told = [value for name, value in headers if name == "Vary"]
    others = [(name, value) for name, value in headers if name != "Vary"]
    return [*others, ("Vary", ", ".join([*told, "Origin"]))]
