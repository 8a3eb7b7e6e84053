"""Pairs: a query string, read as names and values."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from app.errors import InvalidParameterError

Pairs = Sequence[tuple[str, str]]

_MOST_PAIRS = 2_000
_ENCODED = re.compile("[%+]")


def query_pairs(query_string: bytes) -> Pairs:
    """Read a query string as names and values, in order.

    Raises:
        InvalidParameterError: it is not UTF-8, or holds too many.
    """
    if not query_string:
        return ()
    try:
        text = query_string.decode()
        if not _ENCODED.search(text) and text.count("&") < _MOST_PAIRS:
            return [part.partition("=")[::2] for part in text.split("&") if part]
        return parse_qsl(
            text,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PAIRS,
        )
    except UnicodeDecodeError as error:
        raise InvalidParameterError("The query is not UTF-8.") from error
    except ValueError as error:
        raise InvalidParameterError(f"The query has more than {_MOST_PAIRS} parts.") from error
