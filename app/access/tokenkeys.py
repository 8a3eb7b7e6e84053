"""The keys that tokens are verified with: one secret or public key, or a JWK set. Reads bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import requires_cryptography

from app.access.keyfile import KeyFileError
from app.access.watched import MOST_BYTES

FAMILIES = {
    "RS": ("RSA", ("RS256", "RS384", "RS512")),
    "PS": ("RSA", ("PS256", "PS384", "PS512")),
    "ES": ("EC", ("ES256", "ES384", "ES512")),
    "EdDSA": ("OKP", ("EdDSA",)),
    "HS": ("oct", ("HS256",)),
}
_LEAST_RSA_BITS = 2048
_LEAST_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key, the algorithms it may be used with, and its name in a JWK set."""

    key: Any
    algorithms: tuple[str, ...]
    kid: str | None = None

    def __repr__(self) -> str:
        """Tell its name only: the key may be a secret."""
        return f"TokenKey(kid={self.kid!r})"


def key_of(keys: Sequence[TokenKey], kid: object) -> TokenKey:
    """Give the key of that name; the only key there is goes without one.

    Raises:
        ValueError: there is none.
    """
    found = [key for key in keys if key.kid == kid]
    if len(keys) == 1 and (kid is None or keys[0].kid is None):
        found = list(keys)
    if not found:
        raise ValueError("no such key")
    return found[0]


def parse_token_keys(content: bytes, family: str) -> tuple[TokenKey, ...]:
    """Read a file's content: a JWK set, else one PEM public key, or of HS a secret.

    Raises:
        KeyFileError: there is no key of that family in it, or one that is too weak.
    """
    kind, algorithms = FAMILIES[family]
    if requires_cryptography.intersection(algorithms) and not jwt.algorithms.has_crypto:
        raise KeyFileError(f"{family} needs the package cryptography: assay-registry[jwt]")
    if len(content) > MOST_BYTES or b"PRIVATE KEY" in content:
        raise KeyFileError("too large, or a private key where a public one belongs")
    if content.lstrip().startswith(b"{"):
        return _jwk_set(content, family)
    try:
        algorithm = jwt.get_algorithm_by_name(algorithms[0])
        key = algorithm.prepare_key(content.strip())
    except (jwt.PyJWTError, ValueError, TypeError):
        raise KeyFileError(f"no key of the family {family}") from None
    _check_strength(key, kind)
    return (TokenKey(key, algorithms),)


def _jwk_set(content: bytes, family: str) -> tuple[TokenKey, ...]:
    kind, algorithms = FAMILIES[family]
    try:
        listed = json.loads(content)["keys"]
        ours = [each for each in listed if each.get("kty") == kind and each.get("use") != "enc"]
        usable = [each for each in ours if each.get("alg", algorithms[0]) in algorithms]
        keys = tuple(_jwk(each, family) for each in usable)
    except KeyFileError:
        raise
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise KeyFileError("no JWK set") from None
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise KeyFileError(f"no key of the family {family}, or two of one kid")
    return keys


def _jwk(fact: Mapping[str, Any], family: str) -> TokenKey:
    kind, algorithms = FAMILIES[family]
    if "d" in fact:
        raise KeyFileError("a private key where a public one belongs")
    own = (fact["alg"],) if "alg" in fact else algorithms
    # Without its alg a key on a curve says by the curve which one it is for.
    key = jwt.PyJWK(dict(fact), None if kind in {"EC", "OKP"} else own[0]).key
    _check_strength(key, kind)
    kid = fact.get("kid")
    return TokenKey(key, own, kid if isinstance(kid, str) else None)


def _check_strength(key: Any, kind: str) -> None:  # noqa: ANN401 - of cryptography, or bytes
    if kind == "oct" and len(key) < _LEAST_SECRET_BYTES:
        raise KeyFileError("a secret of less than 32 bytes")
    if kind == "RSA" and key.key_size < _LEAST_RSA_BITS:
        raise KeyFileError("an RSA key of less than 2,048 bits")
