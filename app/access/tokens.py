"""Tokens (JWT) of one trusted issuer: who it says the caller is. Never says what was wrong."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import jwt

from app.access.caller import Caller, is_scope
from app.access.fetched import Fetched
from app.access.tokenkeys import TokenKey, key_of, parse_token_keys
from app.access.watched import Watched
from app.errors import CredentialError

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_LONGEST_TOKEN = 8192
_LONGEST_SUBJECT = 200
_LEEWAY_SECONDS = 30
_REQUIRED = ("exp", "iat", "iss", "aud", "sub")
_MOMENTS = ("exp", "iat", "nbf")

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trust:
    """Which tokens are believed: of this issuer, for this audience, of one family of algorithms.

    ``scopes`` names the claim that holds them; a token lives at most ``seconds``.
    """

    family: str
    issuer: str
    audience: str
    scopes: str = "scope"
    seconds: int = 3600


class Tokens:
    """Reads tokens by the keys of a file, or of an https address; new keys are found by itself."""

    def __init__(self, place: Path | str, trust: Trust) -> None:
        self._trust = trust
        self._keys: Watched[tuple[TokenKey, ...]] | Fetched[tuple[TokenKey, ...]]

        def parse(content: bytes) -> tuple[TokenKey, ...]:
            return parse_token_keys(content, trust.family)

        self._keys = (
            Fetched(place, parse, ()) if isinstance(place, str) else Watched(place, parse, ())
        )

    @property
    def problem(self) -> str:
        """Say what is wrong with the keys, without where they are; empty if nothing."""
        problem = self._keys.problem
        return problem if problem or self._keys.content else "no such file"

    def caller(self, token: str) -> Caller:
        """Name the caller whom a token speaks of.

        Raises:
            CredentialError: it is not one that is believed now.
        """
        try:
            claims = self._claims(token)
            scopes = _scopes(claims.get(self._trust.scopes, ""))
            return Caller(f"token {claims['sub']}", scopes)
        except (jwt.PyJWTError, ArithmeticError, ValueError, TypeError, RecursionError):
            raise CredentialError("The token given is not valid.") from None

    def _claims(self, token: str) -> Facts:
        """Read the claims, believed only if the signature, the issuer and the times hold."""
        if len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
            raise ValueError("form")
        header, claims = (_strict(part) for part in token.split(".")[:2])
        # Nothing a header names (jku, x5u, jwk, x5c) is looked at: only kid, among our own keys.
        if "crit" in header or "b64" in header:
            raise ValueError("critical header")
        self._check(claims)
        key = key_of(self._keys.content, header.get("kid"))
        # Only now is anything believed: what was looked at before could but refuse.
        verified: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(key.algorithms),
            audience=self._trust.audience,
            issuer=self._trust.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": list(_REQUIRED)},
        )
        return verified

    def _check(self, claims: Facts) -> None:
        """Check the forms of claims, which the library reads with more goodwill."""
        moments = [claims[name] for name in _MOMENTS if name in claims]
        if not all(type(at) in {int, float} and isfinite(at) for at in moments):
            raise ValueError("a moment that is no number")
        if claims.get("exp", 0) - claims.get("iat", 0) > self._trust.seconds:
            raise ValueError("lives too long")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise ValueError("sub")
        if not subject.isprintable():
            raise ValueError("sub")


def looks_like_token(text: str) -> bool:
    """Tell whether a credential is to be read as a token, not as a key."""
    return text.count(".") == len(("header", "claims"))


def _strict(part: str) -> Facts:
    """Read a part as an object in which no name stands twice and no number is none."""
    content = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    read = json.loads(content, object_pairs_hook=_once, parse_constant=_refuse)
    if not isinstance(read, dict):
        raise TypeError("no object")
    return read


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name stands twice")
    return read


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _scopes(claim: object) -> frozenset[str]:
    """Read scopes: a text with spaces between, or a list; those that cannot be ours are left."""
    given = claim.split() if isinstance(claim, str) else claim
    if not isinstance(given, list):
        raise TypeError("scopes")
    return frozenset(scope for scope in given if is_scope(scope))
