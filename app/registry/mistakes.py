"""Says what is wrong with a registry file, where, and what was probably meant. Reads no file."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from app.errors import RegistryError

LISTED = 100
_COMPARED = 200
_LONGEST = 100
_SHORT_LIST = 50
_CLOSE = 0.65

Positions = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error of a registry file, as people and programs are told it.

    ``line`` and ``column`` count from 1 and point at a key or at an item of a list.
    ``pointer`` is a JSON Pointer; of an unknown key it names the mapping around it.
    """

    file: str
    line: int
    column: int
    pointer: str
    message: str
    found: object = None
    allowed: tuple[object, ...] | None = None
    nearest: str | None = None

    def __str__(self) -> str:
        where = f"{dotted(self.pointer)}: " if self.pointer else ""
        meant = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.file}:{self.line}:{self.column}  {where}{self.message}{meant}"

    def as_fact(self) -> dict[str, object]:
        """Give it as a member of a problem document, without what is not known."""
        fact = {key: value for key, value in asdict(self).items() if value is not None}
        return {**fact, "allowed": list(self.allowed)} if self.allowed else fact


@dataclass(frozen=True, slots=True)
class Mistake:
    """An error before its place is looked up.

    ``of_key`` says that the key at ``pointer`` is wrong, not its value. ``words`` are
    those among which the nearest to ``found`` is sought. ``place`` is set where no
    pointer leads.
    """

    message: str
    pointer: str = ""
    found: object = None
    allowed: tuple[object, ...] | None = None
    words: tuple[str, ...] = ()
    of_key: bool = False
    place: tuple[int, int] | None = None


class Refusal(Exception):  # noqa: N818 - a refusal is the house's word for it
    """A file that cannot be read to its end."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*mistakes)
        self.mistakes = mistakes


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Give the word that was probably meant; none if no one is close.

    Only the first 200 words are compared, and none over 100 characters, so that a
    hostile list costs little.
    """
    if len(word) > _LONGEST:
        return None
    near = {each.casefold(): each for each in islice(words, _COMPARED) if len(each) <= _LONGEST}
    found = get_close_matches(word.casefold(), near, n=1, cutoff=_CLOSE)
    return near[found[0]] if found else None


def child(pointer: str, key: object) -> str:
    """Give the JSON Pointer of a part of what ``pointer`` names."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


def parent(pointer: str) -> str:
    """Give the JSON Pointer of what holds the part that ``pointer`` names."""
    return pointer.rpartition("/")[0]


def last(pointer: str) -> str:
    """Give the key or the number that a JSON Pointer ends with."""
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def dotted(pointer: str) -> str:
    """Give a JSON Pointer as people write it: ``datasets.forecasts.keys[1]``."""
    text, before = "", ""
    for raw in pointer.split("/")[1:]:
        part = last(raw)
        if part.isdigit() and before != "columns":
            text += f"[{part}]"
        elif part.isidentifier():
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
        before = part
    return text


def quoted(value: object) -> str:
    """Give a value as a message shows it: in quotes if it is text, and never long."""
    text = repr(value) if isinstance(value, str | int | float) else type(value).__name__
    text = {True: "true", False: "false"}.get(value, text) if isinstance(value, bool) else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def place_of(pointer: str, positions: Positions) -> tuple[int, int]:
    """Give line and column of what ``pointer`` names, or of the nearest part around it."""
    while pointer and pointer not in positions:
        pointer = parent(pointer)
    return positions.get(pointer, (1, 1))


def diagnosed(mistakes: Iterable[Mistake], name: str, positions: Positions) -> RegistryError:
    """Give the error that lists all mistakes in file order, the first 100 of very many."""
    placed = sorted(
        ((each.place or place_of(each.pointer, positions), each) for each in mistakes),
        key=lambda pair: pair[0],
    )
    count = f"{name} has {len(placed):,} error{'' if len(placed) == 1 else 's'}"
    more = f"; the first {LISTED} are listed" if len(placed) > LISTED else ""
    errors = [_diagnostic(each, name, place).as_fact() for place, each in placed[:LISTED]]
    return RegistryError(f"{count}{more}.", errors=errors)


def diagnostics_of(error: RegistryError) -> tuple[Diagnostic, ...]:
    """Give the diagnostics an error was made from, for instance to print them."""
    facts: Any = error.facts.get("errors", ())
    return tuple(
        Diagnostic(**{**fact, "allowed": tuple(fact["allowed"]) if "allowed" in fact else None})
        for fact in facts
    )


def _diagnostic(mistake: Mistake, name: str, place: tuple[int, int]) -> Diagnostic:
    found = mistake.found
    return Diagnostic(
        name,
        *place,
        pointer=parent(mistake.pointer) if mistake.of_key else mistake.pointer,
        message=mistake.message,
        found=found[:_LONGEST] if isinstance(found, str) else found,
        allowed=mistake.allowed if len(mistake.allowed or ()) <= _SHORT_LIST else None,
        nearest=nearest(found, mistake.words) if isinstance(found, str) else None,
    )
