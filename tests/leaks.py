"""Finds what must never leave the service in texts that did: paths, SQL, tracebacks, secrets."""

import re

# What an answer may repeat it was sent; everything else is found wherever it stands.
PATTERNS = {
    "a path": r"/(?:tmp|home|root|usr|var|srv|proc|etc|opt|work)/[\w.-]+",
    "a file of ours": r"[\w-]\.(?:duckdb|index|part|pyc?)\b|keys\.json|etag\.key|\bCURRENT\b",
    "SQL": r"(?i)\bselect [^\"]{1,80} from\b|\bwhere\b \"|\battach\b|\b\w+_table\"?\.\"?main\b",
    "a traceback": r"Traceback|File \\?\"|\bline \d+, in \b|object at 0x",
    "a class": r"\b[A-Z]\w+(?:Error|Exception)\b|<class '|\bapp\.(?:http|engine|query|service)\b",
    "a library": r"(?i)\b(?:duckdb|flask|werkzeug|granian|sqlglot|pyarrow)\b|\bpython[ /]?[23]",
    "a key": r"assay_[0-9A-Za-z]{8}_[0-9A-Za-z]{8,}|eyJ[\w-]{8,}\.[\w-]+",
    "a hash": r"\b[0-9a-f]{64}\b",
}
_FOUND = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}


def leaks(text: str, sent: str = "") -> list[tuple[str, str]]:
    """Give what a text tells, kind and words, but for what was sent to the service itself."""
    return [
        (kind, found[0])
        for kind, pattern in _FOUND.items()
        for found in pattern.finditer(text)
        if found[0] not in sent
    ]
