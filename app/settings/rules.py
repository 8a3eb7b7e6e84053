"""How variables are written: each Rule reads one text, and says what is allowed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from environs import ValidationError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_MOST_BYTES = 1 << 50
LONGEST_SHOWN = 80
# As browsers write one: in small letters, without a path, and without the scheme's own port.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
# Of the options those that make nothing slower or less safe.
_REDIS = re.compile(
    r"|unix://(?:[^/?#@]*@)?/[^?#]+(?:\?db=[0-9]{1,5})?"
    r"|redis(s)?://(?:[^/?#@]*@)?(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:/[0-9]{0,5})?(?(1)(?:\?(?:&?ssl_(?:ca_certs|certfile|keyfile)=[^&#]+)+)?)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one variable is read; ``default`` is written as one would be, a ``secret`` never told."""

    default: str
    allowed: str
    parse: Callable[[str], object]
    secret: bool = False

    def read(self, text: str) -> object:
        """Give the value that ``text`` stands for.

        Raises:
            ValidationError: the text is not allowed; says what is.
        """
        try:
            return self.parse(text)
        except ValueError:
            shown = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
            found = "found a value that is not shown" if self.secret else f"found {shown!r}"
            raise ValidationError(f"{found}; allowed: {self.allowed}") from None


def path(default: str) -> Rule:
    """Read a path; a relative one starts at the working directory."""

    def parse(text: str) -> Path:
        if not text or "\0" in text:
            raise ValueError(text)
        # Not resolved: a mounted file may be a symlink that is moved to newer content later.
        return Path(text).absolute()

    return Rule(default, "a path; a relative one starts at the working directory", parse)


def path_or_address() -> Rule:
    """Read a path, or an https address as it is."""
    parse = path("").parse

    def parse_either(text: str) -> object:
        if text.startswith("https://"):
            return text
        if "://" in text:
            raise ValueError(text)
        return parse(text) if text else None

    return Rule("", "a path, an https address, or nothing", parse_either)


def text(allowed: str, default: str = "") -> Rule:
    """Read a text as it is."""
    return Rule(default, allowed, str)


def host(default: str) -> Rule:
    """Read an address or a host name to listen on."""

    def parse(text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
            raise ValueError(text)
        return text

    return Rule(default, "an address or a host name", parse)


def number(default: str, least: int, most: int) -> Rule:
    """Read a whole number within these bounds."""

    def parse(text: str) -> int:
        return _within(int(text) if re.fullmatch("[0-9]{1,9}", text) else -1, least, most)

    return Rule(default, f"a whole number from {least} to {most}", parse)


def origins() -> Rule:
    """Read origins of web pages."""

    def parse(text: str) -> str:
        origins = [each.strip() for each in text.split(",")] if text else []
        if origins != ["*"] and not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError(text)
        return ",".join(origins)

    return Rule("", "origins such as https://a.example, with commas between, or * alone", parse)


def size(default: str, least: str) -> Rule:
    """Read bytes, with a unit or without."""

    def parse(text: str) -> int:
        return _within(_bytes(text), _bytes(least), _MOST_BYTES)

    allowed = f"whole bytes, or a whole number of KB, MB, GB, KiB, MiB or GiB; at least {least}"
    return Rule(default, allowed, parse)


def word(default: str, *words: str) -> Rule:
    """Read one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Rule(default, f"one of {', '.join(words)}", parse)


def tracing() -> Rule:
    """Read who is sent spans; what sends them is an extra, and has to be there."""
    one = word("off", "off", "otlp")

    def parse(text: str) -> object:
        chosen = one.parse(text)
        if chosen != "off" and not _installed("opentelemetry.sdk"):
            raise ValidationError(f"{text} needs an extra: pip install 'assay-registry[otel]'")
        return chosen

    return Rule(one.default, one.allowed, parse)


def redis() -> Rule:
    """Read the address of a Redis."""

    def parse(text: str) -> str:
        # A port that is none is a ValueError, too.
        if not _REDIS.fullmatch(text) or urlsplit(text).port == 0:
            raise ValueError(text)
        return text

    allowed = "nothing, or an address that starts with redis://, rediss:// or unix://"
    return Rule("", allowed, parse, secret=True)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,16})(?: ?([KMG]I?B))?", text.upper())
    if not match:
        return -1
    return int(match[1]) * (_UNITS[match[2]] if match[2] else 1)


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError(value)
    return value


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
