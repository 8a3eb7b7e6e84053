"""What stands once in the document, for several operations to refer to."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apispec.core import Components

Schema = dict[str, Any]

# A reference is about as long as this many choices.
_FEW = 4
_NAME = re.compile("[A-Za-z0-9_-]+")
_BEYOND = re.compile("[^A-Za-z0-9._-]")


class SharedSchemas:
    """Puts what is long into the document once for each dataset, and what all have alike once."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._known: dict[tuple[str, str], str] = {}
        self._alike: dict[str, Schema] = {}

    def reference(self, owner: str, name: str, schema: Schema) -> Schema:
        """Give a reference to a schema; the same one twice keeps its first name.

        ``owner`` is its dataset, or nothing if it has nothing of one.
        """
        content = (owner, repr(schema))
        if content not in self._known:
            self._known[content] = self._free(f"{owner}.{name}" if owner else name)
            self._components.schema(self._known[content], schema)
        return {"$ref": f"#/components/schemas/{self._known[content]}"}

    def parameters(
        self, owner: str, endpoint: str, documented: Sequence[Schema | str]
    ) -> list[Schema | str]:
        """Give an endpoint's parameters, by reference where all datasets have them alike."""
        return [
            each if isinstance(each, str) else self._short(owner, endpoint, each)
            for each in documented
        ]

    def _short(self, owner: str, endpoint: str, parameter: Schema) -> Schema | str:
        schema: Mapping[str, Any] = parameter["schema"]
        items = schema.get("items", {})
        if len(items.get("enum", ())) > _FEW:
            choices = self.reference(owner, parameter["name"], items)
            return {**parameter, "schema": {**schema, "items": choices}}
        name = f"{endpoint}-{parameter['name']}"
        if name not in self._alike and _NAME.fullmatch(name):
            self._alike[name] = parameter
            self._components.parameter(name, parameter["in"], parameter)
        return name if self._alike.get(name) == parameter else parameter

    def _free(self, name: str) -> str:
        # Names beyond letters and digits cannot stand in a reference.
        name = _BEYOND.sub("-", name)
        while name in self._components.schemas:
            name += "_"
        return name
