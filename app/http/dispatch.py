"""The app: Flask, but what plugins offer is answered before it makes contexts nobody reads."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from app.access import PROBES
from app.http.endpoints import Route
from app.http.guarding import enter
from app.http.paths import Paths
from app.http.reply import Reply
from app.http.visit import Environ, path_of, visit_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class App(Flask):
    """What a room above may know of the app: it has a document, and answers for its offers.

    As a WSGI callable it is for all else; an offer it would answer there as Flask does.
    ``routes`` are those of all offers, by the names that Flask has for them; ``owners`` names the
    dataset of each. ``waits`` is called before Flask is, whose views may take their time.
    """

    def __init__(self, routes: Mapping[str, Route], waits: Callable[[], None]) -> None:
        super().__init__("assay", static_folder=None)
        self.owners = {name: route.offer.dataset.name for name, route in routes.items()}
        self._routes, self._waits = routes, waits

    @cached_property
    def _paths(self) -> Paths:
        """The paths of the offers, found when all are there."""
        offered = [each for each in self.url_map.iter_rules() if each.endpoint in self._routes]
        return Paths(self.url_map.bind(""), offered)

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request that no offer replies to, as Flask does."""
        if path_of(environ) not in PROBES:
            self._waits()
        return super().wsgi_app(environ, start_response)

    def reply(self, environ: Environ) -> Reply | None:
        """Give the reply of the offer that has the address; None where Flask has to look.

        Raises:
            ServiceError: whatever the offer refuses.
        """
        method = environ["REQUEST_METHOD"]
        if method not in {"GET", "HEAD"}:
            return None
        try:
            rule, path = self._paths.match(path_of(environ), method)
        except HTTPException:
            return None
        route = self._routes.get(rule.endpoint)
        if route is None:
            return None
        enter(visit_of(environ), rule, self.owners)
        return route.answer(environ, path)

    def make_response(self, rv: Any) -> Response:  # noqa: ANN401 - whatever a view gives
        """Make a response of a Reply too."""
        return rv.response() if isinstance(rv, Reply) else super().make_response(rv)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Take each function as it is: none is a coroutine, and Flask would look at every call."""
        return func
