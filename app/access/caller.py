"""Who asks and what it may. Knows no key and no file."""

from dataclasses import dataclass

from app.errors import CredentialError, ForbiddenError

# What a key of each scope may do.
SCOPES = {
    "read": frozenset({"read"}),
    "refresh": frozenset({"refresh"}),
    "admin": frozenset({"admin", "refresh", "read"}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``key_id`` names the key, None without one; ``scopes`` are those of the key."""

    key_id: str | None
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Tell whether one of the caller's scopes is, or implies, ``scope``."""
        return any(scope in SCOPES.get(held, {held}) for held in self.scopes)

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
