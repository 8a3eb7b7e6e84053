"""Where files are: a source's folder, a dataset's path. Judges the text only, never the disk."""

import re

from app.registry.fields import wrong
from app.registry.mistakes import quoted
from app.registry.names import Visible

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Location(Visible):
    """A folder: absolute, or relative to the registry file."""

    longest = 1024

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if _SCHEME.match(text):
            scheme = text.partition(":")[0]
            raise wrong(f"a location on {scheme} is not supported yet; use a folder")
        return text


class RelativePath(Visible):
    """A file, or a pattern for files, below a source's location."""

    longest = 1024

    def _read(self, value: object) -> str:
        text = super()._read(value)
        parts = text.split("/")
        if text.startswith("/") or _SCHEME.match(text) or text[1:2] == ":":
            raise wrong(f"{quoted(text)} is not relative to the source's location")
        if ".." in parts:
            raise wrong("'..' is not allowed in a path")
        if any(each in text for each in "\\\r\n\t"):
            raise wrong("holds a backslash, a tab or a line break; folders are parted by /")
        if "" in parts:
            raise wrong(f"{quoted(text)} has an empty part")
        return text
