"""Reads a registry file into a Registry, or says all that is wrong with it. Never half."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from app.registry import build
from app.registry.checks import check
from app.registry.fields import MISSING
from app.registry.mistakes import Mistake, Positions, Refusal, child, diagnosed, last, quoted
from app.registry.registry import Registry
from app.registry.schema import RegistrySchema
from app.registry.text import read_text
from app.registry.tree import read_tree


def read_registry(path: Path) -> Registry:
    """Read ``path``; relative locations start at its folder.

    Raises:
        RegistryError: with all errors of the file, in file order.
    """
    try:
        tree = read_tree(read_text(path))
    except Refusal as refusal:
        raise diagnosed(refusal.mistakes, path.name, {}) from None
    checked, mistakes = _checked(tree.data)
    if tree.mistakes or mistakes:
        raise diagnosed((*tree.mistakes, *mistakes), path.name, tree.positions)
    return _registry(checked, tree.data, path.absolute(), tree.positions)


def registry_from_document(
    document: Mapping[str, object], folder: Path, name: str = "datasets.yaml"
) -> Registry:
    """Make the Registry again that had this ``document``; it knows no positions.

    Raises:
        RegistryError: the document is of another version of the service.
    """
    checked, mistakes = _checked(document)
    if mistakes:
        raise diagnosed(mistakes, name, {})
    return _registry(checked, document, folder / name, {})


def _registry(
    checked: Mapping[str, Any], document: Mapping[str, object], path: Path, positions: Positions
) -> Registry:
    folder = path.parent
    return Registry(
        build.sources(checked, folder),
        build.datasets(checked),
        document,
        folder,
        path.name,
        positions,
    )


def _checked(document: Mapping[str, object]) -> tuple[Mapping[str, Any], tuple[Mistake, ...]]:
    sources = document.get("sources")
    names = tuple(sources) if isinstance(sources, Mapping) else ()
    mistakes: Iterable[Mistake] = ()
    try:
        valid: Any = RegistrySchema().load(document)
    except ValidationError as error:
        valid = error.valid_data
        mistakes = _located(error.messages, "", document)
    return valid, (*mistakes, *check(valid, names))


def _located(messages: object, pointer: str, value: object) -> Iterator[Mistake]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _located(inner, child(pointer, key), _inside(value, key))
    elif isinstance(messages, list):
        for each in messages:
            yield from _located(each, pointer, value)
    else:
        yield _about(messages, pointer, value)


def _about(message: object, pointer: str, value: object) -> Mistake:
    mistake = message if isinstance(message, Mistake) else Mistake(str(message))
    if mistake.message == MISSING:
        mistake = replace(mistake, of_key=True)
    key, names_key = last(pointer), mistake.message.endswith(" key")
    shown = value if isinstance(value, str | int | float) else None
    return replace(
        mistake,
        pointer=pointer,
        message=f"{mistake.message} {quoted(key)}" if names_key else mistake.message,
        found=key if mistake.of_key and value is not _ABSENT else shown,
    )


def _inside(value: object, key: object) -> object:
    if isinstance(value, Mapping):
        return value.get(key, _ABSENT)
    return value[key] if isinstance(value, list) and isinstance(key, int) else _ABSENT


_ABSENT = object()
