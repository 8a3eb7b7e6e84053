"""Routes of datasets that a caller may not read: to that caller nothing has their address."""

import re
from collections.abc import Mapping
from functools import cache

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule

from app.errors import NoGenerationError, NotFoundError
from app.http.visit import Visit, visit_of

# Below it are the routes of datasets, which come with a Generation.
_DATA = "/api/v1/"
_PLACE = re.compile("<(?:[a-z]+:)?([^<>]*)>")


def enter(visit: Visit, rule: Rule, owners: Mapping[str, str]) -> None:
    """Tell which route a visit takes, and check the caller before anything else is.

    ``owners`` names the dataset of each route that has one.

    Raises:
        NotFoundError: the caller may not read the dataset; word for word what an address gets
            that is nobody's.
    """
    visit.told["route"] = _route(rule.rule)
    owner = owners.get(rule.endpoint)
    if owner is not None:
        visit.told["dataset"] = owner
        _check(visit, owner)


def guard(app: Flask, owners: Mapping[str, str]) -> None:
    """Have every request enter its route before a view runs."""

    @app.before_request
    def check() -> None:
        visit, rule = visit_of(request.environ), request.url_rule
        if rule is not None:
            enter(visit, rule, owners)
            return
        if visit.today is None and request.path.startswith(_DATA):
            raise NoGenerationError("No refresh has succeeded yet.")
        refusing = _refusing_rule(app)
        owner = None if refusing is None else owners.get(refusing.endpoint)
        if owner is not None:
            _check(visit, owner)


def _check(visit: Visit, owner: str) -> None:
    if not visit.may_read(owner):
        raise NotFoundError("Nothing has this address.")


@cache
def _route(rule: str) -> str:
    """Write a route as the document does: ``<text:id>`` is ``{id}`` there."""
    return _PLACE.sub(r"{\1}", rule)


def _refusing_rule(app: Flask) -> Rule | None:
    """Give the rule that has the address, but not for this method: 405 would tell of it."""
    refused = request.routing_exception
    adapter = app.create_url_adapter(request)
    if not isinstance(refused, MethodNotAllowed) or not refused.valid_methods or adapter is None:
        return None
    rule, _ = adapter.match(method=next(iter(refused.valid_methods)), return_rule=True)
    return rule
