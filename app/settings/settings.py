"""What the environment decides, read once at start. Reads the given mapping only, no file."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast, get_type_hints

from environs import Env, EnvValidationError

from app.settings.rules import (
    LONGEST_SHOWN,
    Rule,
    host,
    number,
    origins,
    path,
    path_or_address,
    redis,
    size,
    text,
    tracing,
    word,
)

PREFIX = "ASSAY_"
# To how many clients a worker sends at once what it sends piece by piece.
SENDERS = 128
# Of how many bodies that are on their way a worker waits for more.
MOST_BODIES = 8
# How many threads of each worker may take requests. One is enough, unless something holds it up
# that nobody knew of; a body is waited for at its door.
DOORS = 2 + MOST_BODIES
# Each of them but the first ends when it had no request for so long.
DOOR_SECONDS = 60
# How many may wait for the interpreter, in each worker, and how many stand there that are refused.
DESK_WAITING = 64
DOORSTEP_PLACES = 200
# For kept answers, health and refreshes, when all that may run and wait does.
_FREE_THREADS = 16


class SettingsError(ValueError):
    """The environment has mistakes; the text has one line for each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; each field is a variable, ``ASSAY_`` and its name in capitals.

    Paths are absolute, ``…_bytes`` and ``…_memory`` are bytes, ``…_seconds`` are seconds.
    A ``cache_bytes`` of 0 keeps nothing, an ``index_bytes`` of 0 makes no index, and a
    ``port`` of 0 lets the system choose.
    """

    registry: Annotated[Path, path("datasets.yaml")]
    state: Annotated[Path, path(".assay")]
    # An empty default: where the keys are, the state directory decides.
    keys_file: Annotated[Path, path("")]
    keys: Annotated[str, text("JSON as in the keys file, or nothing")]
    token_keys: Annotated[Path | str | None, path_or_address()]
    token_algorithms: Annotated[str, word("RS", "RS", "PS", "ES", "EdDSA", "HS")]
    token_issuer: Annotated[str, text("any text")]
    token_audience: Annotated[str, text("any text")]
    token_scopes: Annotated[str, text("the name of a claim", "scope")]
    token_seconds: Annotated[int, number("3600", 60, 86400)]
    guesses_per_minute: Annotated[int, number("10", 0, 1000000)]
    requests_per_minute: Annotated[int, number("0", 0, 1000000)]
    trusted_proxies: Annotated[int, number("0", 0, 10)]
    cors_origins: Annotated[str, origins()]
    plugins: Annotated[Path, path("plugins")]
    host: Annotated[str, host("127.0.0.1")]
    port: Annotated[int, number("8000", 0, 65535)]
    workers: Annotated[int, number("2", 1, 64)]
    log_level: Annotated[str, word("info", "debug", "info", "warning", "error")]
    tracing: Annotated[str, tracing()]
    cache: Annotated[str, redis()]
    cache_bytes: Annotated[int, size("64MiB", "0")]
    engine_threads: Annotated[int, number("2", 1, 64)]
    engine_memory: Annotated[int, size("1GiB", "64MiB")]
    loader_memory: Annotated[int, size("2GiB", "64MiB")]
    index_bytes: Annotated[int, size("2GiB", "0")]
    queries_running: Annotated[int, number("2", 1, 64)]
    queries_waiting: Annotated[int, number("60", 0, 1000)]
    query_seconds: Annotated[int, number("2", 1, 3600)]
    exports_running: Annotated[int, number("2", 1, 64)]
    exports_waiting: Annotated[int, number("16", 0, 1000)]
    export_seconds: Annotated[int, number("300", 1, 86400)]
    spool_bytes: Annotated[int, size("2GiB", "0")]
    keep_generations: Annotated[int, number("5", 1, 1000)]
    keep_seconds: Annotated[int, number("600", 0, 604800)]
    keep_bytes: Annotated[int, size("20GiB", "0")]
    wait_seconds: Annotated[int, number("60", 0, 600)]

    @property
    def small_waiting(self) -> int:
        """Give how many questions of one key may wait apart; more of them wait among the others."""
        return min(2 * self.queries_running, self.queries_waiting)

    @property
    def threads(self) -> int:
        """Give how many threads a worker needs beside its doors and senders.

        Whoever is at the desk, or runs, waits or is refused at the engine, has one.
        """
        interpreter = 1 + DOORSTEP_PLACES
        questions = 2 * self.queries_running + self.small_waiting + self.queries_waiting
        exports = self.exports_running + self.exports_waiting
        return interpreter + questions + exports + _FREE_THREADS

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
    near = difflib.get_close_matches(name[:LONGEST_SHOWN], rules(), n=1, cutoff=0)
    return f"{name[:LONGEST_SHOWN]!r}: no such variable; did you mean {near[0]}?"
