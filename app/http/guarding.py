"""Routes of datasets that a caller may not read: to that caller nothing has their address."""

from collections.abc import Mapping

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule

from app.errors import NotFoundError
from app.http.visit import visit_of


def guard(app: Flask, owners: Mapping[str, str]) -> None:
    """Check the caller before anything else is; ``owners`` names the dataset of each route."""

    @app.before_request
    def check() -> None:
        rule = request.url_rule or _refusing_rule(app)
        owner = None if rule is None else owners.get(rule.endpoint)
        if owner is not None and not visit_of(request).may_read(owner):
            # Word for word what an address gets that is nobody's.
            raise NotFoundError("Nothing has this address.")


def _refusing_rule(app: Flask) -> Rule | None:
    """Give the rule that has the address, but not for this method: 405 would tell of it."""
    refused = request.routing_exception
    adapter = app.create_url_adapter(request)
    if not isinstance(refused, MethodNotAllowed) or not refused.valid_methods or adapter is None:
        return None
    rule, _ = adapter.match(method=next(iter(refused.valid_methods)), return_rule=True)
    return rule
