"""Pairs: a query string, read as names and values."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from app.errors import InvalidParameterError
from app.http.visit import Environ

Pairs = Sequence[tuple[str, str]]

_MOST_PAIRS = 2_000


def query_pairs(environ: Environ) -> Pairs:
    """Read the query of a request as names and values, in order.

    Raises:
        InvalidParameterError: it is not UTF-8, or holds too many.
    """
    # Each of its characters is a byte that was sent.
    sent: str = environ.get("QUERY_STRING", "")
    if sent.isascii() and "%" not in sent and "+" not in sent and sent.count("&") < _MOST_PAIRS:
        return [part.partition("=")[::2] for part in sent.split("&") if part]
    try:
        return parse_qsl(
            sent.encode("latin-1").decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PAIRS,
        )
    except UnicodeError as error:
        raise InvalidParameterError("The query is not UTF-8.") from error
    except ValueError as error:
        raise InvalidParameterError(f"The query has more than {_MOST_PAIRS} parts.") from error
