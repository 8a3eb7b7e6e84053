"""What a client takes and has, by the headers of its request: forms, encodings, tags."""

from collections.abc import Sequence
from functools import lru_cache

from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header, parse_etags

from app.answers import ENCODINGS
from app.errors import NotAcceptableError
from app.http.visit import Environ

_ASKED = "HTTP_IF_NONE_MATCH"


# Clients of one kind all send the same header.
@lru_cache(maxsize=256)
def liked_encoding(header: str) -> str:
    """Give the encoding that the client likes best, of those there are; none is the empty one."""
    liked = parse_accept_header(header, Accept)
    return liked.best_match(ENCODINGS) or "" if liked else ""


@lru_cache(maxsize=256)
def liked_media(header: str, media: tuple[str, ...]) -> str:
    """Give the first of the forms that the client likes best.

    Raises:
        NotAcceptableError: it takes none of them.
    """
    liked = parse_accept_header(header, MIMEAccept)
    best = liked.best_match(media) if liked else media[0]
    if best is None:
        told = " or ".join(media)
        raise NotAcceptableError(f"This is answered as {told}.", allowed=list(media))
    return best


def takes_any(environ: Environ) -> bool:
    """Tell whether the client has an answer already, and would keep any."""
    return _ASKED in environ and parse_etags(environ[_ASKED]).star_tag


def known_tag(environ: Environ, etags: Sequence[str]) -> str | None:
    """Give the client's own tag of one of these; that of an Export tells its content too."""
    if _ASKED not in environ:
        return None
    known = parse_etags(environ[_ASKED]).as_set(include_weak=True)
    for etag in etags:
        bare = bare_tag(etag)
        for tag in known:
            if tag == bare:
                return etag
            if tag.startswith(f"{bare}-"):
                return f'"{tag}"'
    return None


def bare_tag(etag: str) -> str:
    """Give what stands between the quotes of a tag, weak or not."""
    return etag.removeprefix("W/").strip('"')
