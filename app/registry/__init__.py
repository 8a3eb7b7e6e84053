"""``datasets.yaml`` -> Registry, or exactly what is wrong with it. Never opens a table."""

from app.registry.access import with_access_of
from app.registry.dump import yaml_text
from app.registry.mistakes import Diagnostic, diagnostics_of, nearest
from app.registry.reading import read_registry, registry_from_document
from app.registry.registry import Registry
from app.registry.schema import json_schema

__all__ = [
    "Diagnostic",
    "Registry",
    "diagnostics_of",
    "json_schema",
    "nearest",
    "read_registry",
    "registry_from_document",
    "with_access_of",
    "yaml_text",
]
