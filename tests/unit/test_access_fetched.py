"""Token keys of an https address: fetched beside the requests, and held while it is away."""

import http.server
import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.access.fetched import Fetched
from app.access.keyfile import KeyFileError
from app.access.opening import open_keyring
from app.access.tokens import Tokens
from app.errors import CredentialError
from app.settings import SettingsError, read_settings
from tests.unit.test_access_tokens import OTHER, RSA, TRUST, jwk_set, token


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def certificate(folder):
    """Write a certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    path = folder / "login.pem"
    path.write_bytes(
        key.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem)
    )
    return path


@pytest.fixture
def login(tmp_path, monkeypatch):
    """A login service whose certificate is trusted."""
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.asked, server.answer = [], (200, {}, jwk_set(one=RSA).encode())
    server.address = f"https://127.0.0.1:{server.server_port}/jwks?a=b"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_tokens_are_verified_with_what_was_fetched(login):
    tokens = Tokens(login.address, TRUST)
    assert tokens.caller(token(headers={"kid": "one"})).key_id == "token ann"
    assert login.asked == ["/jwks?a=b"]
    for _ in range(3):
        with pytest.raises(CredentialError):
            tokens.caller(token(OTHER, headers={"kid": "two"}))
    # Who shows a token, never has anything fetched.
    assert len(login.asked) == 1


def fetched(login):
    return Fetched(login.address, bytes.decode, "nothing")


def test_what_is_new_is_fetched_again(login):
    keys = fetched(login)
    login.answer = (200, {}, b"new")
    keys.fetch()
    assert (keys.content, keys.problem) == ("new", "")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((500, {}, b"secret"), "answered with 500"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "answered with 302"),
        ((200, {}, b"\xff"), "'utf-8' codec"),
    ],
)
def test_what_is_no_answer_changes_nothing_and_is_told(login, answer, problem):
    keys = fetched(login)
    good = keys.content
    login.answer = answer
    keys.fetch()
    assert keys.content == good
    assert keys.problem.startswith(problem)
    login.answer = (200, {}, b"good again")
    keys.fetch()
    assert (keys.content, keys.problem) == ("good again", "")


def test_no_more_is_read_than_a_file_may_have(login):
    login.answer = (200, {}, b"x" * (3 << 20))
    assert len(fetched(login).content) == (1 << 20) + 1


def test_a_service_that_is_away_is_told_and_nobody_is_believed(login):
    login.shutdown()
    login.server_close()
    tokens = Tokens(login.address, TRUST)
    assert tokens.problem == "not fetched: ConnectionRefusedError"
    with pytest.raises(CredentialError):
        tokens.caller(token(headers={"kid": "one"}))


def test_a_certificate_that_nobody_knows_is_no_answer(login, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert fetched(login).problem == "not fetched: SSLCertVerificationError"


def test_settings_name_an_https_address_or_a_path(login):
    given = {"ASSAY_TOKEN_ISSUER": TRUST.issuer, "ASSAY_TOKEN_AUDIENCE": TRUST.audience}
    settings = read_settings({**given, "ASSAY_TOKEN_KEYS": login.address})
    assert read_settings(settings.environment()) == settings
    bearer = f"Bearer {token(headers={'kid': 'one'})}"
    assert open_keyring(settings).caller(bearer, None).key_id
    with pytest.raises(SettingsError, match="a path, an https address, or nothing"):
        read_settings({**given, "ASSAY_TOKEN_KEYS": login.address.replace("https", "http")})
    secret = {"ASSAY_TOKEN_ALGORITHMS": "HS", "ASSAY_TOKEN_KEYS": login.address}
    with pytest.raises(KeyFileError, match="never fetched"):
        open_keyring(read_settings({**given, **secret}))
