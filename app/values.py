"""Values of a request: as frozen as others to who reads and checks them, and made sooner.

The interpreter guards each field of a frozen dataclass by a call for it, which a request with a
dozen of them pays for. These are guarded by mypy alone, which refuses whoever sets a field; so
they are gone with their request, and what outlives it is guarded by both.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_Value = TypeVar("_Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def per_request(cls: type[_Value]) -> type[_Value]:
    """Make a value of a class, as ``@dataclass(frozen=True, slots=True)`` would."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
