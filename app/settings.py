"""What the environment decides, read once at start. Reads the given mapping only, no file."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast, get_type_hints
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError

PREFIX = "ASSAY_"

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_MOST_BYTES = 1 << 50
_LONGEST_SHOWN = 80
# As browsers write one: in small letters, without a path, and without the scheme's own port.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
# Of the options those that make nothing slower or less safe.
_REDIS = re.compile(
    r"|unix://(?:[^/?#@]*@)?/[^?#]+(?:\?db=[0-9]{1,5})?"
    r"|redis(s)?://(?:[^/?#@]*@)?(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:/[0-9]{0,5})?(?(1)(?:\?(?:&?ssl_(?:ca_certs|certfile|keyfile)=[^&#]+)+)?)"
)


class SettingsError(ValueError):
    """The environment has mistakes; the text has one line for each."""


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
            shown = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
            found = "found a value that is not shown" if self.secret else f"found {shown!r}"
            raise ValidationError(f"{found}; allowed: {self.allowed}") from None


def _path(default: str) -> Rule:
    def parse(text: str) -> Path:
        if not text or "\0" in text:
            raise ValueError(text)
        # Not resolved: a mounted file may be a symlink that is moved to newer content later.
        return Path(text).absolute()

    return Rule(default, "a path; a relative one starts at the working directory", parse)


def _path_or_address() -> Rule:
    parse = _path("").parse

    def parse_either(text: str) -> object:
        if text.startswith("https://"):
            return text
        if "://" in text:
            raise ValueError(text)
        return parse(text) if text else None

    return Rule("", "a path, an https address, or nothing", parse_either)


def _text(allowed: str, default: str = "") -> Rule:
    return Rule(default, allowed, str)


def _host(default: str) -> Rule:
    def parse(text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
            raise ValueError(text)
        return text

    return Rule(default, "an address or a host name", parse)


def _number(default: str, least: int, most: int) -> Rule:
    def parse(text: str) -> int:
        return _within(int(text) if re.fullmatch("[0-9]{1,9}", text) else -1, least, most)

    return Rule(default, f"a whole number from {least} to {most}", parse)


def _origins() -> Rule:
    def parse(text: str) -> str:
        origins = [each.strip() for each in text.split(",")] if text else []
        if origins != ["*"] and not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError(text)
        return ",".join(origins)

    return Rule("", "origins such as https://a.example, with commas between, or * alone", parse)


def _size(default: str, least: str) -> Rule:
    def parse(text: str) -> int:
        return _within(_bytes(text), _bytes(least), _MOST_BYTES)

    allowed = f"whole bytes, or a whole number of KB, MB, GB, KiB, MiB or GiB; at least {least}"
    return Rule(default, allowed, parse)


def _word(default: str, *words: str) -> Rule:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Rule(default, f"one of {', '.join(words)}", parse)


def _redis() -> Rule:
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


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; each field is a variable, ``ASSAY_`` and its name in capitals.

    Paths are absolute, ``…_bytes`` and ``…_memory`` are bytes, ``…_seconds`` are seconds.
    A ``cache_bytes`` of 0 keeps nothing, an ``index_bytes`` of 0 makes no index, and a
    ``port`` of 0 lets the system choose.
    """

    registry: Annotated[Path, _path("datasets.yaml")]
    state: Annotated[Path, _path(".assay")]
    # An empty default: where the keys are, the state directory decides.
    keys_file: Annotated[Path, _path("")]
    keys: Annotated[str, _text("JSON as in the keys file, or nothing")]
    token_keys: Annotated[Path | str | None, _path_or_address()]
    token_algorithms: Annotated[str, _word("RS", "RS", "PS", "ES", "EdDSA", "HS")]
    token_issuer: Annotated[str, _text("any text")]
    token_audience: Annotated[str, _text("any text")]
    token_scopes: Annotated[str, _text("the name of a claim", "scope")]
    token_seconds: Annotated[int, _number("3600", 60, 86400)]
    guesses_per_minute: Annotated[int, _number("10", 0, 1000000)]
    requests_per_minute: Annotated[int, _number("0", 0, 1000000)]
    trusted_proxies: Annotated[int, _number("0", 0, 10)]
    cors_origins: Annotated[str, _origins()]
    plugins: Annotated[Path, _path("plugins")]
    host: Annotated[str, _host("127.0.0.1")]
    port: Annotated[int, _number("8000", 0, 65535)]
    workers: Annotated[int, _number("2", 1, 64)]
    log_level: Annotated[str, _word("info", "debug", "info", "warning", "error")]
    tracing: Annotated[str, _word("off", "off", "otlp")]
    cache: Annotated[str, _redis()]
    cache_bytes: Annotated[int, _size("64MiB", "0")]
    engine_threads: Annotated[int, _number("2", 1, 64)]
    engine_memory: Annotated[int, _size("1GiB", "64MiB")]
    loader_memory: Annotated[int, _size("2GiB", "64MiB")]
    index_bytes: Annotated[int, _size("2GiB", "0")]
    queries_running: Annotated[int, _number("4", 1, 64)]
    queries_waiting: Annotated[int, _number("60", 0, 1000)]
    query_seconds: Annotated[int, _number("2", 1, 3600)]
    exports_running: Annotated[int, _number("2", 1, 64)]
    exports_waiting: Annotated[int, _number("16", 0, 1000)]
    export_seconds: Annotated[int, _number("300", 1, 86400)]
    spool_bytes: Annotated[int, _size("2GiB", "0")]
    keep_generations: Annotated[int, _number("5", 1, 1000)]
    keep_seconds: Annotated[int, _number("600", 0, 604800)]
    keep_bytes: Annotated[int, _size("20GiB", "0")]
    wait_seconds: Annotated[int, _number("60", 0, 600)]

    def environment(self) -> dict[str, str]:
        """Give the variables that make the same Settings, for a child process."""
        values = {variable: getattr(self, field_of(variable)) for variable in rules()}
        return {variable: "" if each is None else str(each) for variable, each in values.items()}


def rules() -> dict[str, Rule]:
    """Give each variable's rule, in the order of the fields."""
    hints = get_type_hints(Settings, include_extras=True)
    return {PREFIX + name.upper(): hint.__metadata__[0] for name, hint in hints.items()}


def field_of(variable: str) -> str:
    """Give the field that ``variable`` decides."""
    return variable.removeprefix(PREFIX).lower()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read Settings from ``environ``; what is not set has its default.

    Raises:
        SettingsError: a variable is unknown or its value not allowed; tells all of them.
    """
    known = rules()
    state = environ.get("ASSAY_STATE") or known["ASSAY_STATE"].default
    env = _GivenEnv({"ASSAY_KEYS_FILE": f"{state}/keys.json", **environ})
    values = {
        field_of(variable): env.ruled(variable, rule.default, rule=rule)
        for variable, rule in known.items()
    }
    mistakes = [_unknown(name) for name in environ if name.startswith(PREFIX) and name not in known]
    try:
        env.seal()
    except EnvValidationError as error:
        told = cast("Mapping[str, list[str]]", error.error_messages)
        mistakes += [f"{name}: {told[name][0]}" for name in known if name in told]
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return Settings(**values)


class _GivenEnv(Env):
    """Reads what it is given, where its parent prefers the environment of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = environ
        self.add_parser("ruled", _ruled)

    def _get_value(self, env_key: str, default: object) -> object:
        return self._given.get(env_key, default)


def _ruled(text: str, rule: Rule) -> object:
    return rule.read(text)


def _unknown(name: str) -> str:
    # The value is not told: a variable called ASSAY_KEY may well hold one.
    near = difflib.get_close_matches(name[:_LONGEST_SHOWN], rules(), n=1, cutoff=0)
    return f"{name[:_LONGEST_SHOWN]!r}: no such variable; did you mean {near[0]}?"
