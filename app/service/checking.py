"""What a request has to look like before anybody asks what it wants."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from app.errors import (
    CredentialInAddressError,
    HeadersTooLargeError,
    LengthRequiredError,
    MalformedRequestError,
    NotFoundError,
    UriTooLongError,
)
from app.http import LONGEST_ADDRESS
from app.logs import hidden

_LONGEST_HEADERS = 16384
# How often a key may have been percent-encoded and still be found.
_MOST_ENCODINGS = 3
_LENGTH = re.compile("[0-9]{1,18}")


def check_address(environ: Mapping[str, Any]) -> None:
    """Check the path and the query, as they were sent.

    Raises:
        UriTooLongError: they are longer than any we take.
        MalformedRequestError: the path is no text.
        CredentialInAddressError: a key or token is in them.
        NotFoundError: the path begins with two slashes, which nobody's does.
    """
    path = environ.get("PATH_INFO", "")
    length = len(path) + len(environ.get("QUERY_STRING", ""))
    if length > LONGEST_ADDRESS:
        raise UriTooLongError(f"The address has {length} characters.", allowed=LONGEST_ADDRESS)
    try:
        path.encode("latin-1").decode()
    except UnicodeError as error:
        raise MalformedRequestError("The path is not UTF-8.") from error
    _check_secrets(f"{path}?{environ.get('QUERY_STRING', '')}")
    if path.startswith("//"):
        # A framework may take it for the same address with one; rules of proxies do not.
        raise NotFoundError("Nothing has this address.")


def check_headers(environ: Mapping[str, Any]) -> None:
    """Check the headers by themselves.

    Raises:
        LengthRequiredError: a body comes without its length.
        MalformedRequestError: its length is none.
        HeadersTooLargeError: they are longer than any we take.
    """
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise LengthRequiredError("Send the body with a Content-Length.")
    # What is no length reads as none, and a refresh without a body is one of everything.
    length = environ.get("CONTENT_LENGTH")
    if length and not _LENGTH.fullmatch(length):
        raise MalformedRequestError("The Content-Length is not a number of bytes.")
    # A server puts its own environment among them: most names are looked at by one letter only.
    size = 0
    for name in environ:
        if name[0] == "H" and name.startswith("HTTP_"):
            size += len(name) + len(environ[name])
    if size > _LONGEST_HEADERS:
        raise HeadersTooLargeError(f"The headers have {size} bytes.", allowed=_LONGEST_HEADERS)


def _check_secrets(address: str) -> None:
    """Refuse an address with a key or token in it: addresses are logged on their way."""
    for _ in range(_MOST_ENCODINGS + 1):
        if hidden(address) != address:
            told = "A key or token belongs into a header; this one is known to others now."
            raise CredentialInAddressError(told)
        if "%" not in address:
            return
        address = unquote(address)
