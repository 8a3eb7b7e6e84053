"""Reads the bytes of a registry file as text, within limits. Knows nothing of YAML."""

import errno
import os
import re
import stat
from pathlib import Path

from app.registry.mistakes import Mistake, Refusal

MOST_BYTES = 1 << 20
MOST_LINES = 50_000
LONGEST_LINE = 1 << 16

# Controls, lone carriage returns, Unicode line separators, and the characters that turn the
# direction of text, with which a file can look different from what it says.
FORBIDDEN = re.compile(
    "[^\t\n\r -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
# What nobody can see: fine in a description (it joins letters), not in a name.
INVISIBLE = re.compile("[\xad\u061c\u180e\u200b-\u200f\u2060-\u2064\u3164\ufeff\ufe00-\ufe0f]")
# Too few descriptors are no fault of the file.
_OURS = {errno.EMFILE, errno.ENFILE}
# Its possessive repeats never step back: keeping the way back would take 300 bytes for each line.
_DIRECTIVE = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+%")


def read_text(path: Path) -> str:
    """Give the file's text; a byte order mark at its start is skipped.

    Raises:
        Refusal: it cannot be opened, is no regular file, too large, or not clean UTF-8.
        OSError: the process has no descriptor left.
    """
    data = _content(path)
    if len(data) > MOST_BYTES:
        raise _refusal(f"the file is larger than {MOST_BYTES:,} bytes", "")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        wrong = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8"
        raise _refusal(wrong, before.removeprefix("\ufeff")) from None
    text = text.removeprefix("\ufeff")
    _check_lines(text)
    _check_characters(text)
    return text


def _content(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK a named pipe would keep us waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _refusal("this is not a regular file", "")
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _refusal("there is no such file", "") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise
        reason = getattr(error, "strerror", None) or "not a valid file name"
        raise _refusal(f"the file cannot be read: {reason}", "") from None


def _check_characters(text: str) -> None:
    found = FORBIDDEN.search(text)
    if found:
        wrong = f"character U+{ord(found.group()):04X} is not allowed"
        raise _refusal(wrong, text[: found.start()])
    directive = _DIRECTIVE.match(text)
    if directive:
        raise _refusal("directives are not allowed", directive.group()[:-1])


def _check_lines(text: str) -> None:
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise Refusal(Mistake(f"more than {MOST_LINES:,} lines", place=(MOST_LINES + 1, 1)))
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            wrong = f"a line of more than {LONGEST_LINE:,} characters"
            raise Refusal(Mistake(wrong, place=(number, 1)))


def _refusal(message: str, before: str) -> Refusal:
    line = before.count("\n") + 1
    return Refusal(Mistake(message, place=(line, len(before) - before.rfind("\n"))))
