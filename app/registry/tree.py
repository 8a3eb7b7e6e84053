"""Turns the text of a registry file into plain data and remembers where each part stands.

Works on the event stream of the pure-Python parser: nothing is composed or constructed, so no
file can make it build an object, follow an alias, or recurse deeper than the limit.
"""

from dataclasses import dataclass

import yaml
from yaml import events

from app.registry.mistakes import Mistake, Positions, Refusal, child, quoted
from app.registry.scalars import plain
from app.registry.text import FORBIDDEN, INVISIBLE

DEEPEST = 20
MOST_NODES = 200_000
MOST_ENTRIES = 5_000
_MOST_DUPLICATES = 100


@dataclass(frozen=True, slots=True)
class Tree:
    """The plain data of a file, the place of each key and item, and what was wrong on the way."""

    data: dict[str, object]
    positions: Positions
    mistakes: tuple[Mistake, ...]


def read_tree(text: str) -> Tree:
    """Read one YAML document whose root is a mapping.

    A duplicate key is a mistake and its first value stays; all else that is not
    allowed ends the reading.

    Raises:
        Refusal: the text is not YAML, or uses more of it than a registry may.
    """
    return _Reading(text).tree()


class _Reading:
    def __init__(self, text: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._positions: dict[str, tuple[int, int]] = {}
        self._duplicates: list[Mistake] = []
        self._nodes = 0

    def tree(self) -> Tree:
        try:
            self._take()
            root = self._take()
            if isinstance(root, events.DocumentStartEvent):
                root = self._take()
            data = self._root(root)
            self._take()
            self._end(self._take())
        except Refusal as refusal:
            raise Refusal(*self._duplicates, *refusal.mistakes) from None
        return Tree(data, self._positions, tuple(self._duplicates))

    def _root(self, event: events.Event) -> dict[str, object]:
        if isinstance(event, events.StreamEndEvent) or getattr(event, "value", None) == "":
            raise Refusal(Mistake("the file is empty", place=(1, 1)))
        if isinstance(event, events.MappingStartEvent):
            self._admit(event, "", 1)
            return self._mapping("", 1)
        self._admit(event, "", 1)
        raise _refused("a mapping with the keys version and datasets is needed", event)

    def _end(self, event: events.Event) -> None:
        if not isinstance(event, events.StreamEndEvent):
            raise _refused("a second document begins here; one is allowed", event)

    def _take(self) -> events.Event:
        try:
            event: events.Event = self._loader.get_event()  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            raise _not_yaml(error) from None
        except (ValueError, OverflowError):
            place = (self._loader.line + 1, self._loader.column + 1)
            raise Refusal(Mistake("not a valid escape", place=place)) from None
        return event

    def _value(self, event: events.Event, pointer: str, depth: int) -> object:
        self._admit(event, pointer, depth)
        if isinstance(event, events.ScalarEvent):
            return _scalar(event, pointer)
        if isinstance(event, events.MappingStartEvent):
            return self._mapping(pointer, depth)
        return self._sequence(pointer, depth)

    def _mapping(self, pointer: str, depth: int) -> dict[str, object]:
        data: dict[str, object] = {}
        while not isinstance(event := self._take(), events.MappingEndEvent):
            key = self._key(event, pointer)
            here = child(pointer, key)
            if key in data:
                self._note_duplicate(here, key, event)
            elif len(data) == MOST_ENTRIES:
                raise _refused(f"more than {MOST_ENTRIES:,} keys in one mapping", event, pointer)
            self._positions.setdefault(here, _place(event))
            value = self._value(self._take(), here, depth + 1)
            data.setdefault(key, value)
        return data

    def _sequence(self, pointer: str, depth: int) -> list[object]:
        data: list[object] = []
        while not isinstance(event := self._take(), events.SequenceEndEvent):
            if len(data) == MOST_ENTRIES:
                raise _refused(f"more than {MOST_ENTRIES:,} items in one list", event, pointer)
            here = child(pointer, len(data))
            self._positions.setdefault(here, _place(event))
            data.append(self._value(event, here, depth + 1))
        return data

    def _key(self, event: events.Event, pointer: str) -> str:
        self._admit(event, pointer, 1)
        if not isinstance(event, events.ScalarEvent):
            raise _refused("a key must be text, not a list or a mapping", event, pointer)
        if event.implicit[0] and event.value in {"", "~", "null"}:
            raise _refused("a key may not be empty; put it in quotes", event, pointer)
        if event.implicit[0] and event.value == "<<":
            raise _refused("merge keys are not allowed", event, pointer)
        if FORBIDDEN.search(event.value) or INVISIBLE.search(event.value):
            raise _refused("a key holds a character that cannot be seen", event, pointer)
        return str(event.value)

    def _admit(self, event: events.Event, pointer: str, depth: int) -> None:
        self._nodes += 1
        if isinstance(event, events.AliasEvent):
            raise _refused("aliases are not allowed", event, pointer)
        if getattr(event, "anchor", None) is not None:
            raise _refused("anchors are not allowed", event, pointer)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags are not allowed", event, pointer)
        if self._nodes > MOST_NODES:
            raise _refused(f"more than {MOST_NODES:,} values", event, pointer)
        if depth > DEEPEST and isinstance(event, events.CollectionStartEvent):
            raise _refused(f"nested deeper than {DEEPEST}", event, pointer)

    def _note_duplicate(self, pointer: str, key: str, event: events.Event) -> None:
        first, second = self._positions[pointer], _place(event)
        places = f"{first[0]}:{first[1]} and {second[0]}:{second[1]}"
        message = f"key {quoted(key)} stands twice, at {places}"
        found = Mistake(message, pointer, found=key, of_key=True, place=second)
        if len(self._duplicates) == _MOST_DUPLICATES:
            raise Refusal(found)
        self._duplicates.append(found)


def _scalar(event: events.ScalarEvent, pointer: str) -> object:
    text = str(event.value)
    if FORBIDDEN.search(text):
        raise _refused("this text holds a character that is not allowed", event, pointer)
    try:
        return plain(text) if event.implicit[0] else text
    except ValueError as error:
        raise _refused(str(error), event, pointer) from None


def _place(event: events.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _refused(message: str, event: events.Event, pointer: str = "") -> Refusal:
    return Refusal(Mistake(message, pointer, place=_place(event)))


def _not_yaml(error: yaml.MarkedYAMLError) -> Refusal:
    mark, context = error.problem_mark, error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    began = f", which began in line {context.line + 1}" if context else ""
    doing = f" {error.context}" if error.context else ""
    return Refusal(Mistake(f"not valid YAML:{doing}{began}: {error.problem}", place=place))
