"""Tokens: who they say the caller is, and sixteen ways to lie that are refused."""

import base64
import hmac
import json
import time
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from app.access.keyfile import KeyFileError
from app.access.keyring import Keyring
from app.access.opening import open_keyring
from app.access.tokens import Tokens, Trust
from app.errors import CredentialError
from app.settings import read_settings

RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SECRET = b"a secret of at least thirty-two bytes"
TRUST = Trust("RS", "https://login.example", "assay")


def pem(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def jwk_set(**keys):
    jwks = []
    for kid, key in keys.items():
        fact = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        jwks.append({**fact, "kid": kid, "alg": "RS256", "use": "sig"})
    return json.dumps({"keys": jwks})


def now():
    return int(time.time())


def claims(**others):
    told = {"iss": TRUST.issuer, "aud": TRUST.audience, "sub": "ann"}
    told |= {"iat": now(), "exp": now() + 300}
    told |= {"scope": "read refresh", **others}
    return {name: value for name, value in told.items() if value is not None}


def token(key=RSA, algorithm="RS256", headers=None, **others):
    return jwt.encode(claims(**others), key, algorithm, headers)


def segment(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header, payload):
    """A token of any bytes, rightly signed with our own key."""
    message = f"{segment(header)}.{segment(payload)}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        message.encode(), RSA
    )
    return f"{message}.{segment(signature)}"


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "token-keys"
    path.write_bytes(pem(RSA))
    return path


@pytest.fixture
def tokens(keys):
    return Tokens(keys, TRUST)


def test_a_token_names_its_caller_and_its_scopes(tokens):
    caller = tokens.caller(token())
    assert (caller.key_id, caller.scopes) == ("token ann", {"read", "refresh"})


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ("", set()),
        (["finance", "Nonsense", 7], {"finance"}),
        ("openid https://x/y read", {"openid", "read"}),
    ],
)
def test_scopes_are_a_text_or_a_list_and_what_cannot_be_one_is_left(tokens, claim, scopes):
    assert tokens.caller(token(scope=claim)).scopes == scopes


def test_scopes_may_stand_in_another_claim(keys):
    tokens = Tokens(keys, Trust("RS", TRUST.issuer, TRUST.audience, scopes="roles"))
    assert tokens.caller(token(roles=["finance"])).scopes == {"finance"}
    assert tokens.caller(token()).scopes == set()


@pytest.mark.parametrize(
    ("family", "content", "key", "algorithm"),
    [
        ("RS", pem(RSA), RSA, "RS512"),
        ("PS", pem(RSA), RSA, "PS256"),
        ("ES", pem(EC), EC, "ES256"),
        ("EdDSA", pem(ED), ED, "EdDSA"),
        ("HS", SECRET, SECRET, "HS256"),
    ],
)
def test_each_family_of_algorithms_is_verified_by_its_own_kind_of_key(
    tmp_path, family, content, key, algorithm
):
    path = tmp_path / "key"
    path.write_bytes(content)
    tokens = Tokens(path, Trust(family, TRUST.issuer, TRUST.audience))
    assert tokens.caller(token(key, algorithm)).key_id == "token ann"
    other = token(SECRET, "HS256") if family != "HS" else token(OTHER)
    with pytest.raises(CredentialError):
        tokens.caller(other)


def forged_with_public_key():
    header = segment(b'{"alg":"HS256","typ":"JWT"}')
    message = f"{header}.{segment(json.dumps(claims()).encode())}"
    return f"{message}.{segment(hmac.digest(pem(RSA), message.encode(), sha256))}"


def own_jwk():
    fact = jwt.algorithms.RSAAlgorithm.to_jwk(OTHER.public_key(), as_dict=True)
    return token(OTHER, headers={"jwk": fact})


def cut(text):
    return text[: text.rindex(".") + 20]


RS256 = b'{"alg":"RS256","typ":"JWT"}'
TWICE = json.dumps(claims()).encode()[:-1] + b',"sub":"bob"}'
ATTACKS = {
    "no algorithm": lambda: jwt.encode(claims(), None, "none"),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "the public key as a secret": forged_with_public_key,
    "the key of a stranger": lambda: token(OTHER),
    "kid is a path": lambda: token(OTHER, headers={"kid": "../../../../dev/null"}),
    "kid is SQL": lambda: token(OTHER, headers={"kid": "x' UNION SELECT 'secret"}),
    "jku": lambda: token(OTHER, headers={"jku": "https://evil.example/jwks.json"}),
    "x5u": lambda: token(OTHER, headers={"x5u": "https://evil.example/cert.pem"}),
    "a key of its own": own_jwk,
    "expired": lambda: token(iat=now() - 400, exp=now() - 60),
    "not yet valid": lambda: token(nbf=now() + 120),
    "issued in the future": lambda: token(iat=now() + 120, exp=now() + 300),
    "another audience": lambda: token(aud="another"),
    "another issuer": lambda: token(iss="https://evil.example"),
    "exp is text": lambda: signed(RS256, json.dumps(claims(exp=str(now() + 300))).encode()),
    "exp is true": lambda: signed(RS256, json.dumps(claims(exp=True, iat=0)).encode()),
    "exp is infinite": lambda: signed(RS256, json.dumps(claims(exp=float("inf"))).encode()),
    "exp is too large": lambda: signed(
        RS256, json.dumps(claims()).replace(str(claims()["exp"]), "1e400").encode()
    ),
    "exp is larger than any float": lambda: signed(
        RS256, json.dumps(claims()).replace(str(claims()["exp"]), "1" + "0" * 400).encode()
    ),
    "a claim stands twice": lambda: signed(RS256, TWICE),
    "alg stands twice": lambda: signed(
        b'{"alg":"none","alg":"RS256"}', json.dumps(claims()).encode()
    ),
    "cut": lambda: cut(token()),
    "lives too long": lambda: token(exp=now() + 7200),
    "a critical header": lambda: token(headers={"crit": ["exp"], "exp": 1}),
    "detached": lambda: signed(b'{"alg":"RS256","b64":false}', json.dumps(claims()).encode()),
    "sub is a number": lambda: signed(RS256, json.dumps(claims(sub=7)).encode()),
    "sub breaks the line": lambda: token(sub="ann\nadmin"),
    "scope is an object": lambda: token(scope={"admin": True}),
    "claims are a list": lambda: signed(RS256, b"[]"),
    "claims are deep": lambda: signed(RS256, b"[" * 4000),
    "longer than a header may be": lambda: token(padding="x" * 9000),
    "five parts": lambda: token() + ".x.y",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_lie_is_refused_like_any_other(tokens, attack):
    with pytest.raises(CredentialError) as refusal:
        tokens.caller(ATTACKS[attack]())
    assert (refusal.value.detail, refusal.value.facts) == ("The token given is not valid.", {})


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub"])
def test_each_of_five_claims_is_required(tokens, claim):
    with pytest.raises(CredentialError):
        tokens.caller(token(**{claim: None}))


def test_clocks_may_differ_by_seconds(tokens):
    assert tokens.caller(token(iat=now() + 20, exp=now() + 300))
    assert tokens.caller(token(iat=now() - 300, exp=now() - 20))


def test_keys_of_a_set_are_replaced_without_a_restart(keys, tokens):
    keys.write_text(jwk_set(old=RSA))
    of_old = token(RSA, headers={"kid": "old"})
    assert tokens.caller(of_old)
    keys.write_text(jwk_set(old=RSA, new=OTHER))
    of_new = token(OTHER, headers={"kid": "new"})
    assert tokens.caller(of_old).key_id == tokens.caller(of_new).key_id
    keys.write_text(jwk_set(new=OTHER))
    assert tokens.caller(of_new)
    for gone in (of_old, token(RSA), token(OTHER, headers={"kid": "neu"})):
        with pytest.raises(CredentialError):
            tokens.caller(gone)


def test_a_key_file_that_broke_changes_nothing_and_one_that_is_gone_trusts_nobody(keys, tokens):
    assert tokens.caller(token())
    keys.write_text("{")
    assert tokens.caller(token())
    assert tokens.problem == "no JWK set"
    keys.unlink()
    with pytest.raises(CredentialError):
        tokens.caller(token())


def private_pem():
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return RSA.private_bytes(*form, serialization.NoEncryption())


@pytest.mark.parametrize(
    ("family", "content", "told"),
    [
        ("HS", b"short", "less than 32 bytes"),
        ("HS", pem(RSA), "no key of the family HS"),
        ("RS", pem(WEAK), "less than 2,048 bits"),
        ("RS", pem(EC), "no key of the family RS"),
        ("RS", private_pem(), "private key"),
        ("RS", b"", "no key of the family RS"),
        ("RS", b'{"keys": []}', "no key of the family RS"),
        ("RS", b'{"keys": [7]}', "no JWK set"),
        ("ES", jwk_set(a=RSA).encode(), "no key of the family ES"),
        ("RS", jwk_set(a=RSA).replace('"n"', '"d": "AQ", "n"').encode(), "private key"),
    ],
)
def test_a_key_that_is_weak_or_of_another_kind_is_none(tmp_path, family, content, told):
    path = tmp_path / "key"
    path.write_bytes(content)
    assert told in Tokens(path, Trust(family, "i", "a")).problem


def test_a_keyring_takes_keys_and_tokens_from_one_header(tmp_path, tokens):
    trusting, other = Keyring(tmp_path / "keys.json", (), tokens), Keyring(tmp_path / "keys.json")
    assert trusting.caller(f"Bearer {token()}", None).key_id == "token ann"
    for refused in [(trusting, None, token()), (other, f"Bearer {token()}", None)]:
        with pytest.raises(CredentialError):
            refused[0].caller(*refused[1:])


def test_settings_that_cannot_hold_are_told_without_a_value(keys):
    given = {"ASSAY_TOKEN_KEYS": str(keys)}
    with pytest.raises(KeyFileError, match="needs ASSAY_TOKEN_ISSUER"):
        open_keyring(read_settings(given))
    given |= {"ASSAY_TOKEN_ISSUER": TRUST.issuer, "ASSAY_TOKEN_AUDIENCE": TRUST.audience}
    assert open_keyring(read_settings(given)).caller(f"Bearer {token()}", None).key_id
    with pytest.raises(KeyFileError, match="no key of the family ES"):
        open_keyring(read_settings({**given, "ASSAY_TOKEN_ALGORITHMS": "ES"}))
    with pytest.raises(KeyFileError, match="ASSAY_KEYS: not JSON"):
        open_keyring(read_settings({"ASSAY_KEYS": "assay_nonsense"}))
