"""Names as marshmallow fields: of columns, of everything in URLs, and what is made of columns."""

import re

from app.registry.fields import Text, wrong
from app.registry.mistakes import quoted
from app.registry.text import FORBIDDEN, INVISIBLE


class Visible(Text):
    """A text of 1 to ``longest`` characters with nothing hidden in it, as a column's name is."""

    longest = 255

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if not text.strip() or len(text) > self.longest:
            raise wrong(f"{quoted(text)} is not a text of 1 to {self.longest:,} characters")
        if FORBIDDEN.search(text) or INVISIBLE.search(text):
            raise wrong("holds a character that cannot be seen")
        return text

    def _rule(self) -> dict[str, object]:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


class Patterned(Visible):
    """A text of one form; ``form`` says it in words."""

    pattern = r"[a-z][a-z0-9_]{0,62}"
    form = "a name: a small letter, then at most 62 small letters, digits or _"

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if not re.fullmatch(self.pattern, text):
            raise wrong(f"{quoted(text)} is not {self.form}")
        return text

    def _rule(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


class Name(Patterned):
    """A name in URLs and logs."""


class Order(Patterned):
    """A column's name, with ``-`` before it for the falling order."""

    pattern = "-?[^-].*|-.+"
    form = "a column's name, with or without - before it"


class Measure(Patterned):
    """``count``, or a function and its columns."""

    pattern = r"[a-z][a-z0-9_]*(:.+)?"
    form = "a measure such as count or sum:forecast"
