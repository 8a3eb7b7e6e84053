"""The one pointer of a state directory: which Generation is current. Opens nothing that it names.

It stands apart from the Store, so that who only asks whether there is one needs no engine.
"""

import os
from pathlib import Path

_NAME = "CURRENT"


def pointer_in(state: Path) -> Path:
    """Give the symlink whose replacement is the commit."""
    return state / _NAME


def named_in(state: Path, link: str = _NAME) -> str | None:
    """Read a link: the name of the manifest it points to, or None where there is no link yet."""
    # Each request reads the pointer: making a Path would cost more than the reading.
    try:
        return os.readlink(f"{state!s}/{link}").rpartition("/")[2]  # noqa: PTH115 - as above
    except (FileNotFoundError, NotADirectoryError):
        return None
