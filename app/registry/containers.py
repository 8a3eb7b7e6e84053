"""The mappings and lists of ``datasets.yaml`` as marshmallow fields. Their mappings are closed.

Their errors are nested like the data they are about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import RAISE, Schema, ValidationError

from app.dataset import Constant, moment
from app.registry.fields import Entry, wrong
from app.registry.mistakes import Mistake, quoted
from app.registry.names import Name, Visible


class ClosedSchema(Schema):
    """A mapping that has no other keys than these; an unknown one names the nearest."""

    fields: dict[str, Entry]  # type: ignore[assignment]

    class Meta:
        unknown = RAISE

    def handle_error(
        self, error: ValidationError, data: Mapping[str, object], **_settings: object
    ) -> None:
        """Say of an unknown key which are known."""
        names = tuple(self.fields)
        unknown = Mistake("unknown key", of_key=True, allowed=names, words=names)
        messages = error.messages_dict
        messages.update({key: [unknown] for key in data if key not in self.fields})

    def rule(self) -> dict[str, object]:
        """Give the JSON Schema of this mapping."""
        required = [name for name, each in self.fields.items() if each.required]
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: each.described() for name, each in self.fields.items()},
            **({"required": required} if required else {}),
        }


class Part(Entry):
    """A mapping with keys of its own."""

    def __init__(
        self, schema: type[ClosedSchema], description: str = "", *, required: bool = False
    ) -> None:
        super().__init__(description, required=required)
        self.schema = schema()

    def _read(self, value: object) -> object:
        return self.schema.load(_mapping(value))

    def _rule(self) -> dict[str, object]:
        return self.schema.rule()


class Many(Entry):
    """A list with at least one item, in which no item stands twice."""

    def __init__(self, inner: Entry, description: str = "", *, required: bool = False) -> None:
        super().__init__(description, required=required)
        self.inner = inner

    def _read(self, value: object) -> list[object]:
        if not isinstance(value, list):
            raise wrong("is not a list")
        if not value:
            raise wrong("is an empty list; at least one item is needed")
        valid, errors = _each(self.inner, dict(enumerate(value)))
        items = list(valid.values())
        whole = None if errors else items
        for at in _repeated(value):
            errors.setdefault(at, [Mistake(f"{quoted(value[at])} stands twice")])
        if errors:
            raise ValidationError(errors, valid_data=whole)
        return items

    def _rule(self) -> dict[str, object]:
        items = self.inner.described()
        return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


class Named(Entry):
    """A mapping from names to values, in the order of the file."""

    def __init__(
        self, names: Entry, values: Entry, description: str = "", *, required: bool = False
    ) -> None:
        super().__init__(description, required=required)
        self.names = names
        self.values = values

    def _read(self, value: object) -> dict[str, object]:
        mapping = _mapping(value)
        valid, errors = _each(self.values, mapping)
        for name, wrong_name in _each(self.names, {name: name for name in mapping})[1].items():
            of_key = [replace(each, of_key=True) for each in wrong_name]
            errors[name] = [*of_key, errors[name]] if name in errors else of_key
        if errors:
            raise ValidationError(errors, valid_data=valid)
        return valid

    def _rule(self) -> dict[str, object]:
        return {
            "type": "object",
            "propertyNames": self.names.described(),
            "additionalProperties": self.values.described(),
        }


class Options(Entry):
    """What an endpoint is told; only its plugin knows the keys. Nothing means none."""

    def __init__(self) -> None:
        super().__init__()
        self.allow_none = True

    def _read(self, value: object) -> Mapping[str, object]:
        return _mapping(value)

    def _rule(self) -> dict[str, object]:
        return {"type": ["object", "null"]}


class Endpoints(Entry):
    """A list of endpoints' names, or a mapping from them to their options."""

    listed = Many(Name())
    named = Named(Name(), Options())

    def _read(self, value: object) -> dict[str, object]:
        if value == []:
            return {}
        if isinstance(value, list):
            listed: Any = self.listed.deserialize(value)
            return {name: {} for name in listed}
        named: Any = self.named.deserialize(value)
        return {name: options or {} for name, options in named.items()}

    def _rule(self) -> dict[str, object]:
        return {"oneOf": [{**self.listed.described(), "minItems": 0}, self.named.described()]}


class ConstantSchema(ClosedSchema):
    """One value for every row, where a table has no column for it."""

    value = Visible("The value of every row.", required=True)


class Origin(Visible):
    """Where a lineage value comes from: a column's name, or ``{value: text}``."""

    constant = ConstantSchema()

    def _read(self, value: object) -> str | Constant:  # type: ignore[override]
        if isinstance(value, Mapping):
            return Constant(self.constant.load(value)["value"])
        return super()._read(value)

    def _rule(self) -> dict[str, object]:
        return {"oneOf": [super()._rule(), self.constant.rule()]}


class DatedOrigin(Origin):
    """The same for a moment: a constant must be an ISO 8601 timestamp."""

    def _read(self, value: object) -> str | Constant:  # type: ignore[override]
        origin = super()._read(value)
        if isinstance(origin, Constant):
            _check_moment(origin.value)
        return origin


def _check_moment(text: str) -> None:
    try:
        moment(text)
    except (ValueError, OverflowError):
        message = f"{quoted(text)} is not an ISO 8601 timestamp such as 2026-01-31T12:00:00Z"
        raise ValidationError({"value": [Mistake(message)]}) from None


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise wrong("is not a mapping")
    return value


def _each(inner: Entry, values: Mapping[Any, object]) -> tuple[dict[Any, object], dict[Any, Any]]:
    """Read all values: give the valid ones and parts, and the messages of the others."""
    valid: dict[Any, object] = {}
    errors: dict[Any, Any] = {}
    for key, value in values.items():
        try:
            valid[key] = inner.deserialize(value)
        except ValidationError as error:
            errors[key] = error.messages
            if error.valid_data is not None:
                valid[key] = error.valid_data
    return valid, errors


def _repeated(items: list[object]) -> Iterator[int]:
    seen = set()
    for at, item in enumerate(items):
        # True equals 1 in Python, not in JSON: the text tells them apart.
        text = repr(item)
        if text in seen:
            yield at
        seen.add(text)
