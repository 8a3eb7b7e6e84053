"""Finds the rule of a path: as werkzeug does, but without its search where one look tells."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.routing import MapAdapter, Rule

_PLACE = re.compile("<[^<>]*>")
_WHOLE = re.compile("<text:([a-z_]+)>")


class Paths:
    """The paths of some ``rules``; those of all rules say which parts of a path are words.

    Werkzeug tries one rule after the other, as a value may hold slashes, or what stands in
    another rule. Where each value is one part of the path, and no word, the words tell the rule.
    """

    def __init__(self, adapter: MapAdapter, rules: Iterable[Rule]) -> None:
        self._adapter = adapter
        known = {part for rule in adapter.map.iter_rules() for part in rule.rule.split("/")}
        self._words = {part: part for part in known if not _PLACE.search(part)}
        # What stands before or behind a place in the same part.
        affixes = {text for part in known - {*self._words} for text in _PLACE.split(part)} - {""}
        self._affixes = tuple(affixes)
        self._rules = {
            self._shape(parts): (rule, _places(parts))
            for rule, parts in ((rule, rule.rule.split("/")) for rule in rules)
            if all(part in self._words or _WHOLE.fullmatch(part) for part in parts)
        }

    def match(self, path: str, method: str) -> tuple[Rule, Mapping[str, Any]]:
        """Give the rule of a path, and what is in its places.

        Raises:
            HTTPException: it has none, or none for that method.
        """
        parts = path.split("/")
        found = self._rules.get(self._shape(parts))
        affixed = any(map(path.__contains__, self._affixes))
        if found is None or affixed or method not in (found[0].methods or ()):
            return self._adapter.match(path, method, return_rule=True)
        rule, places = found
        return rule, dict(zip(places, map(parts.__getitem__, places.values()), strict=True))

    def _shape(self, parts: list[str]) -> tuple[str | None, ...]:
        return tuple(map(self._words.get, parts))


def _places(parts: list[str]) -> dict[str, int]:
    """Give where the values are among the parts of a rule, by their names."""
    found = [(place, _WHOLE.fullmatch(part)) for place, part in enumerate(parts)]
    return {each[1]: place for place, each in found if each}
