"""Decides what an unquoted word of a registry file is: text, number, true, false or null."""

import math
import re

MOST_DIGITS = 38

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
)


def plain(text: str) -> object:
    """Give the value of an unquoted word; ``NO``, ``010``, ``1:30`` and dates stay text.

    Raises:
        ValueError: it is a number with too many digits or out of range.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _WHOLE.fullmatch(text):
        return int(_bounded(text))
    if _FLOAT.fullmatch(text):
        return _finite(float(_bounded(text)))
    return text


def _bounded(text: str) -> str:
    if len(text) > MOST_DIGITS + 1:
        raise ValueError(f"a number of {len(text):,} characters; {MOST_DIGITS} digits are allowed")
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number
