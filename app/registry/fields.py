"""The single values of ``datasets.yaml`` as marshmallow fields. They never convert by guess.

``7`` is not text and ``"yes"`` is not a boolean. Their errors are Mistakes.
"""

from datetime import date

from marshmallow import ValidationError, fields

from app.registry.mistakes import Mistake, quoted

MISSING = "missing key"
EMPTY = "is empty; give it a value or leave the key out"


def wrong(message: str, *allowed: str | int, words: tuple[str, ...] = ()) -> ValidationError:
    """Give the error for a value that is not what it should be."""
    return ValidationError([Mistake(message, allowed=allowed or None, words=words)])


class Entry(fields.Field[object]):
    """A value. ``_read`` reads it, ``_rule`` is the JSON Schema of what that accepts."""

    default_error_messages = {"required": MISSING, "null": EMPTY}  # noqa: RUF012 - typed above

    def __init__(
        self, description: str = "", *, required: bool = False, default: object = None
    ) -> None:
        super().__init__(required=required)
        self.description = description
        self.default = default

    def described(self) -> dict[str, object]:
        """Give the JSON Schema of the value, with what an editor shows beside it."""
        shown = {"description": self.description, "default": self.default}
        return {
            **self._rule(),
            **{key: each for key, each in shown.items() if each not in ("", None)},
        }

    def _read(self, value: object) -> object:
        raise NotImplementedError

    def _rule(self) -> dict[str, object]:
        raise NotImplementedError

    def _deserialize(self, value: object, *_context: object, **_kwargs: object) -> object:
        return self._read(value)


class Text(Entry):
    """Any text; a number or a boolean in its place must be put in quotes."""

    def _read(self, value: object) -> str:
        if isinstance(value, int | float):
            raise wrong(f"{quoted(value)} is not text; put it in quotes")
        if not isinstance(value, str):
            raise wrong("is not text")
        return value

    def _rule(self) -> dict[str, object]:
        return {"type": "string"}


class Choice(Text):
    """One of a few words."""

    words: tuple[str, ...] = ()

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if text in self.words:
            return text
        allowed = ", ".join(self.words)
        raise wrong(f"{quoted(text)} is not one of {allowed}", *self.words, words=self.words)

    def _rule(self) -> dict[str, object]:
        return {"enum": list(self.words)}


class Only(Text):
    """The one word that is supported yet, where later any name may stand."""

    def __init__(self, word: str, description: str) -> None:
        super().__init__(description, default=word)
        self.word = word

    def _read(self, value: object) -> str:
        text = super()._read(value)
        if text != self.word:
            raise wrong(f"{quoted(text)} is not supported yet; use {self.word}", self.word)
        return text

    def _rule(self) -> dict[str, object]:
        return {"enum": [self.word]}


class Flag(Entry):
    """``true`` or ``false``."""

    def _read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise wrong(f"{quoted(value)} is not true or false", *(True, False))
        return value

    def _rule(self) -> dict[str, object]:
        return {"type": "boolean"}


class Whole(Entry):
    """An integer from ``least`` to ``most``."""

    least = 0
    most = 0

    def _read(self, value: object) -> int:
        if type(value) is not int or not self.least <= value <= self.most:
            bounds = f"{self.least:,} to {self.most:,}"
            raise wrong(f"{quoted(value)} is not an integer from {bounds}")
        return value

    def _rule(self) -> dict[str, object]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Seconds(Whole):
    """A length of time, up to a year."""

    most = 31_536_000


class Count(Whole):
    """How many periods."""

    least = 1
    most = 1_000_000


class Version(Whole):
    """The one version of the format that is read."""

    least = 1
    most = 1

    def _read(self, value: object) -> int:
        try:
            return super()._read(value)
        except ValidationError:
            raise wrong(f"{quoted(value)} is not a version that can be read; 1 is", 1) from None


class Share(Entry):
    """A share from 0 to 1."""

    def _read(self, value: object) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise wrong(f"{quoted(value)} is not a number from 0 to 1")
        return value

    def _rule(self) -> dict[str, object]:
        return {"type": "number", "minimum": 0, "maximum": 1}


class Single(Entry):
    """A text, a number or a boolean."""

    def _read(self, value: object) -> object:
        if not isinstance(value, str | int | float):
            raise wrong("is not a single value")
        return value

    def _rule(self) -> dict[str, object]:
        return {"type": ["string", "number", "boolean"]}


class Day(Text):
    """A date as ``2026-01-31``; read as text, since YAML's own dates are not."""

    def _read(self, value: object) -> date:  # type: ignore[override]
        text = super()._read(value)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise wrong(f"{quoted(text)} is not a date such as 2026-01-31") from None

    def _rule(self) -> dict[str, object]:
        return {"type": "string", "format": "date"}
