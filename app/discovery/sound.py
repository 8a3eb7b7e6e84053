"""Whether what a plugin brings is sound: one wrong word of it must not reach the app."""

import re
from collections.abc import Iterator, Mapping, Sequence

from app.plugin import COMMON, Endpoint, Member, Parameter
from app.query import TYPES

_NAME = re.compile("[a-z][a-z0-9_]*")
# A generic endpoint may end in a place, such as `/rows.{format}`; `openapi.json` is the service's.
_GENERIC_PATH = re.compile(r"/(?!openapi\b)[a-z0-9_-]+(\.{[a-z_]+})?")


def sound(brought: object) -> Sequence[Endpoint]:
    """Give the endpoints that a plugin's hook gave.

    Raises:
        TypeError: they are no endpoints, or one of them cannot be served; says why.
    """
    if not isinstance(brought, Sequence) or not all(isinstance(e, Endpoint) for e in brought):
        raise TypeError("endpoints() must give a sequence of Endpoint")
    names = [endpoint.name for endpoint in brought]
    for endpoint in brought:
        if names.count(endpoint.name) > 1:
            raise TypeError(f"endpoint {endpoint.name!r} is brought twice")
        for fault in _faults(endpoint):
            raise TypeError(f"endpoint {endpoint.name!r}: {fault}")
    return brought


def _faults(endpoint: Endpoint) -> Iterator[str]:
    if not _NAME.fullmatch(endpoint.name):
        yield "its name has to be of small letters, digits and '_'"
    if endpoint.generic and not _GENERIC_PATH.fullmatch(endpoint.path):
        yield f"path {endpoint.path!r}: a generic one is one part, such as '/rows'"
    if endpoint.generic and endpoint.columns:
        yield "a generic one speaks of columns by their own names"
    yield from _parameter_faults(endpoint.parameters)
    yield from _member_faults(endpoint.returns)


def _parameter_faults(parameters: Sequence[Parameter]) -> Iterator[str]:
    names = [each.name for each in parameters]
    for parameter in parameters:
        if names.count(parameter.name) > 1 or parameter.name in {each.name for each in COMMON}:
            yield f"parameter {parameter.name!r} is there twice"
        if parameter.type not in TYPES:
            yield f"parameter {parameter.name!r}: there is no type {parameter.type!r}"


def _member_faults(members: Mapping[str, Member]) -> Iterator[str]:
    for name, member in members.items():
        told = (member.column, member.rows, member.record, member.members)
        if member.type not in TYPES and not any(told):
            yield f"member {name!r}: there is no type {member.type!r}"
        yield from _member_faults(member.members)
