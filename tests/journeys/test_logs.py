"""The log of a real service: a line a request, whatever clients send, and none tells a key."""

import json
import random
import socket
import string
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import jwt
import pytest

from app.access import keep_key, new_key
from tests.journeys.conftest import until

REQUESTS = 1_000
PLACES = ("path", "query", "request id", "header", "key", "bearer", "method", "body", "proxy")
REFRESH = "/api/v1/data/refresh"
HOSTILE = [
    "\n", "\r\n", "\r", "\x00", "\x0b", "\x85", "\x1b[2J\x1b[31m", "\x7f", "\u2028", "\u2029",
    "\u202e", "\ud800", "\udfff\ud800", "\U0001f4a9", "%0a%0d", "%250a", "%u2028", "\\u0000",
    '"', '"}\n{"event":"request","status":200}', "'; DROP TABLE items; --", "{{7*7}}", "${jndi:x}",
    "%s%n%d{0.__class__}", "../../etc/passwd", "<script>", "\t", " ", "\u00ff", "=?utf-8?q?=0a?=",
    '{"a":' * 500, "x" * 5_000, "x" * 1_000_000, "\u20ac" * 300_000, "\n" * 4_000,
]  # fmt: skip


def sent(address, request):
    """Send bytes as they are, and give the head of what is answered, if anything is."""
    with socket.create_connection(address, timeout=30) as connection:
        answer = b""
        try:
            connection.sendall(request)
            while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
                answer += more
        except OSError:
            # The server hung up on what is too long.
            pass
    return answer.partition(b"\r\n\r\n")[0].lower()


def request_with(place, value):
    """Write a request that has a value in one place; what the protocol forbids is left in it."""
    raw = value.encode("utf-8", "surrogatepass")
    escaped = quote(raw).encode()
    lines = {
        "path": b"GET /api/v1/items/" + escaped + b"/timeseries HTTP/1.1",
        "query": b"GET /api/v1/items?" + escaped + b"=1&q=" + escaped + b" HTTP/1.1",
        "method": raw.replace(b" ", b"") + b" /api/v1/items HTTP/1.1",
        "body": b"POST " + REFRESH.encode() + b" HTTP/1.1",
    }
    headers = {
        "request id": b"X-Request-Id: " + raw,
        "header": b"User-Agent: " + raw + b"\r\nAccept: " + raw + b"\r\nIf-None-Match: " + raw,
        "key": b"X-API-Key: " + raw,
        "bearer": b"Authorization: Bearer " + raw,
        "proxy": b"X-Forwarded-For: " + raw + b"\r\nTraceparent: " + raw,
        "body": b"Content-Type: application/json\r\nContent-Length: " + str(len(raw)).encode(),
    }
    first = lines.get(place, b"GET /api/v1/items HTTP/1.1")
    own = headers.get(place, b"X-Nothing: 1")
    tail = raw if place == "body" else b""
    return first + b"\r\nHost: assay\r\nConnection: close\r\n" + own + b"\r\n\r\n" + tail


def requests(secrets):
    """Give all requests: each place with each value, then random mixtures of them."""
    values = [*HOSTILE, *secrets]
    made = [request_with(place, value) for place in PLACES for value in values]
    draw = random.Random(1)
    short = [value for value in values if len(value) < 1_000]
    while len(made) < REQUESTS:
        mixed = "".join(draw.choices([*short, *string.ascii_letters], k=draw.randint(1, 12)))
        made.append(request_with(draw.choice(PLACES), mixed))
    return made


@pytest.fixture
def secrets(settings):
    """Keys and a token: one that is valid, one that was never made, and one with admin's rights."""
    keys = []
    for name, scope in (("canary", "read"), ("root", "admin")):
        key, record = new_key(name, scope)
        keep_key(settings.keys_file, record)
        keys.append(key)
    never, _ = new_key("never kept", "read")
    return [*keys, never, jwt.encode({"sub": "ann", "iat": 1}, "x" * 32)]


@pytest.mark.usefixtures("client")
def test_a_thousand_hostile_requests_are_a_line_each(server, settings, secrets):
    # The first Generation is there already, so that the command line has nothing to say.
    running = server(workers=2, guesses_per_minute=0)
    address = (urlsplit(running.url).hostname, urlsplit(running.url).port)
    made = requests(secrets)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda request: sent(address, request), made))
    # Some the server refuses by itself: those are no HTTP.
    answered = [answer for answer in answers if b"x-request-id: " in answer]
    assert len(made) >= REQUESTS
    assert len(answered) > 0.5 * len(made)

    def lines():
        return [json.loads(line) for line in running.log.read_bytes().split(b"\n")[:-1]]

    def told():
        return [line for line in lines() if line["event"] == "request" and not probe(line)]

    until(lambda: len(told()) >= len(answered))
    assert len(told()) == len(answered)
    ids = {answer.partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode() for answer in answered}
    assert {line["request_id"].lower() for line in told()} == ids
    assert {line["level"] for line in lines()} <= {"info", "warning"}
    check_written(running.log.read_bytes(), secrets)
    audit = (settings.state / "audit.jsonl").read_bytes()
    assert len([json.loads(line) for line in audit.splitlines()]) > len(HOSTILE)
    check_written(audit, secrets)


def check_written(written, secrets):
    assert written.isascii()
    assert not set(written) - {10} & {*range(32), 127}
    for secret in secrets:
        parts = secret.split("." if "." in secret else "_")
        assert parts[-1].encode() not in written
    assert max(map(len, written.split(b"\n"))) < 4_000


def probe(line):
    return line["route"] == "/health/ready"
