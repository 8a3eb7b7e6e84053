"""What the bytes on the wire may be: lengths, bodies that never come, paths that lead elsewhere."""

import socket
from contextlib import suppress

import pytest

from app.generation import Store
from app.refresh import Jobs
from tests.conftest import key_headers, servers

REFRESH = "/api/v1/data/refresh"
SLOW = 5.0


def talk(port, sent, *, ended=False):
    """Send bytes and give what comes back until the other side closes, or says no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=SLOW) as link:
        with suppress(OSError):
            link.sendall(sent)
        if ended:
            link.shutdown(socket.SHUT_WR)
        said = b""
        with suppress(TimeoutError, ConnectionResetError):
            while not whole(said):
                piece = link.recv(65536)
                if not piece:
                    break
                said += piece
        return said


def whole(said):
    """Tell whether an answer has all of its body, by its own length."""
    head, ended, body = said.partition(b"\r\n\r\n")
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(ended and length) and len(body) >= int(length[0].split(b":")[1])


def request(path, *headers, method="GET", body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def status(said):
    """Give the status of an answer; 0 where the connection was closed without one."""
    return int(said.split(b" ")[1]) if said.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture(scope="module")
def settings(module_settings):
    """Settings of one service for all that is sent here, for none of it changes anything."""
    return module_settings


@pytest.fixture(scope="module")
def admin(settings):
    return key_headers(settings, "admin")


@pytest.fixture(scope="module")
def port(settings):
    with servers(settings, settings.state.parent) as start:
        yield int(start(workers=1).url.rpartition(":")[2])


def test_a_body_is_refused_before_it_is_read(port, admin, settings):
    before = Store.at(settings.state).current()
    key, wrong = f"X-API-Key: {admin['X-API-Key']}", "X-API-Key: x"
    large, chunked = "Content-Length: 70000", "Transfer-Encoding: chunked"
    waits = "Expect: 100-continue"
    for headers, expected in [
        ((large,), 401),
        ((wrong, large), 401),
        ((key, large), 413),
        ((key, "Content-Length: 99999999999"), 413),
        ((key, "Content-Length: 7"), 415),
        ((key, chunked), 411),
        ((chunked,), 411),
        ((key, "Content-Length: 5", chunked), 411),
        ((key, "Transfer-Encoding: gzip, chunked"), 411),
        ((key, "Content-Length: 5", "Content-Length: 6"), 400),
        ((key, "Content-Length: -1"), 400),
        ((key, "Content-Length: 0x2"), 400),
    ]:
        # Not a byte of the body is sent, and none is asked for.
        typed = "Content-Type: text/plain" if expected == 415 else "Content-Type: application/json"
        said = talk(port, request(REFRESH, *headers, typed, waits, method="POST"))
        assert status(said) == expected, (headers, said)
    assert Jobs(Store.at(settings.state)).history()[0].requests[0].by == "serve"
    assert Store.at(settings.state).current() == before


def test_a_body_that_was_cut_starts_nothing(port, admin, settings):
    headers = [f"X-API-Key: {admin['X-API-Key']}", "Content-Type: application/json"]
    for length, body in ((20, b""), (20, b"{}"), (3, b"{}"), (60_000, b'{"dry_run": true}')):
        sent = request(REFRESH, *headers, f"Content-Length: {length}", method="POST", body=body)
        assert status(talk(port, sent, ended=True)) in {0, 400}
    assert len(Jobs(Store.at(settings.state)).history()) == 1


def test_a_body_that_nobody_asked_for_is_not_read(port):
    sent = request("/health/live", "Content-Length: 500000000", body=b"x" * 100_000)
    assert status(talk(port, sent)) in {200, 413}
    assert status(talk(port, request("/health/live"))) == 200


def odd_requests():
    """Requests that are not quite HTTP, or are far too large."""
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100
    yield b"GET /health/live\r\n\r\n"
    yield b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"GE\x00T /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"GET /health/\x00live HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"GET /health/l ive HTTP/1.1\r\nHost: x\r\n\r\n"
    yield get + b"X-Evil: a\x00b\r\n\r\n"
    yield get + b"X Evil: a\r\n\r\n"
    yield get + b"X-Evil : a\r\n\r\n"
    yield get + b"X-Evil: a\r\n b\r\n\r\n"
    yield get + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n"
    yield get + b"X-Evil: " + b"a" * 20_000 + b"\r\n\r\n"
    yield b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"A" * 500_000


def test_what_is_not_quite_http_is_refused_and_the_next_request_answered(port):
    for sent in odd_requests():
        got = status(talk(port, sent, ended=True))
        assert got == 0 or 400 <= got < 500 or got == 505, (sent[:60], got)
        assert status(talk(port, request("/health/live"))) == 200


PATHS = [
    "/../../../../etc/passwd",
    "/docs/../../../../etc/passwd",
    "/docs/..%2f..%2f..%2fetc%2fpasswd",
    "/docs/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/docs/%252e%252e%252fetc%252fpasswd",
    "/docs/..%252f..%252fetc%252fpasswd",
    "/docs/....//....//etc/passwd",
    "/docs/..;/..;/etc/passwd",
    "/docs/..\\..\\etc\\passwd",
    "/docs/..%5c..%5cetc%5cpasswd",
    "/docs/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/docs/%00",
    "/docs/swagger-ui.css%00.html",
    "/docs//etc/passwd",
    "/docs/%2fetc%2fpasswd",
    "//etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "/static/../wsgi.py",
    "/.git/config",
    "/.assay/keys.json",
    "/state/keys.json",
    "/api/v1/datasets/..%2f..%2fstate/rows",
    "/api/v1/datasets/items/rows.%2e%2e%2fkeys.json",
    "/api/v1/datasets/items/../../../../keys.json",
    "/api/v1/items/..%2f..%2f..%2fstate%2fkeys.json/timeseries?start=2026-01-01&end=2026-01-02",
    "/api/v1/inventory/%2fetc%2fpasswd",
    "/api/v1/data/refresh/..%2f..%2fkeys",
    "/api/v1/data/refresh/..%2fkeys.json",
    "/api/v1/data/refresh/%2fetc%2fpasswd%00",
    "/api/v1/datasets/items/rows?generation=../keys",
    "/api/v1/datasets/items/rows?cursor=..%2f..%2fkeys.json",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "http://x/../../etc/passwd",
    "*",
]


def test_a_path_that_leads_elsewhere_leads_nowhere(port, admin, settings):
    key = f"X-API-Key: {admin['X-API-Key']}"
    (fact,) = settings.keys_file.read_text().partition('"sha256": "')[2:]
    folder = str(settings.state.parent).encode()
    inside = [fact[:64].encode(), folder, b"root:x:", b"ASSAY_STATE", b"import "]
    assert len(PATHS) >= 25
    for path in PATHS:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            said = talk(port, request(path, key, "Content-Length: 0", method=method))
            assert status(said) in {400, 404, 405}, (method, path)
            assert [each for each in inside if each in said] == [], path
