"""Who asks and what it may. Knows no key and no file."""

import re
from dataclasses import dataclass

from app.dataset import PUBLIC
from app.errors import CredentialError, ForbiddenError

# What the service itself asks for; any other scope is one that a dataset names as its `access`.
ADMIN, REFRESH, READ = SCOPES = ("admin", "refresh", "read")
_SCOPE = re.compile("[a-z][a-z0-9_]{0,62}")


def is_scope(text: object) -> bool:
    """Tell whether a key or a token can hold that scope."""
    return isinstance(text, str) and text != PUBLIC and _SCOPE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``key_id`` names the key or the token's subject, None without one."""

    key_id: str | None
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Tell whether the caller holds a scope; ``admin`` implies each, ``public`` needs none."""
        return scope == PUBLIC or scope in self.scopes or ADMIN in self.scopes

    def require(self, scope: str) -> None:
        """Refuse a caller who may not do what ``scope`` allows.

        Raises:
            CredentialError: no key was given.
            ForbiddenError: the key lacks the scope.
        """
        if self.may(scope):
            return
        if self.key_id is None:
            raise CredentialError(
                f"A key with scope {scope} is needed: Authorization: Bearer <key> or X-API-Key.",
                scope=scope,
            )
        raise ForbiddenError(f"This key lacks the scope {scope}.", scope=scope)


ANONYMOUS = Caller(None, frozenset())
