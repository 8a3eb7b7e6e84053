"""Redis may be gone, frozen, full or something else altogether: whoever asks goes on soon."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app import redis as room
from app.logs import configure_logs
from app.redis import NoRedisError, Redis
from tests.conftest import free_port

KEY = b"k" * 32


@pytest.fixture
def short(monkeypatch):
    """What fails is left alone for a moment only."""
    monkeypatch.setattr(room, "_LEFT_ALONE_SECONDS", 0.1)


def asked(redis):
    """Whether it answers, and how many seconds that took to find out."""
    began = time.perf_counter()
    try:
        with redis.asked():
            redis.client.get("a")
    except NoRedisError:
        return False, time.perf_counter() - began
    return True, time.perf_counter() - began


def until_it_answers(redis):
    until = time.monotonic() + 20
    while not asked(redis)[0]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_services_on_one_redis_have_names_of_their_own():
    one, other = (Redis("redis://localhost", key) for key in (KEY, b"o" * 32))
    assert one.prefix != other.prefix
    assert one.prefix == Redis("redis://elsewhere", KEY).prefix
    assert one.prefix.startswith("assay:")


def test_one_that_was_killed_is_left_alone_and_then_found_again(redis_server, short):
    server = redis_server()
    redis = Redis(server.url, KEY)
    until_it_answers(redis)
    with structlog.testing.capture_logs() as told:
        server.kill()
        assert not asked(redis)[0]
        assert not redis.works()
        server.start()
        until_it_answers(redis)
    assert [each["event"] for each in told] == ["redis left alone", "redis is back"]
    assert told[0]["reason"] == "ConnectionError"


def test_one_that_is_frozen_costs_one_caller_a_moment_and_the_others_nothing(redis_server):
    server = redis_server()
    redis = Redis(server.url, KEY)
    until_it_answers(redis)
    server.signal(signal.SIGSTOP)
    answers, seconds = asked(redis)
    assert not answers
    assert 0.04 < seconds < 1
    spent = [asked(redis) for _ in range(100)]
    assert not any(answers for answers, _ in spent)
    assert sorted(seconds for _, seconds in spent)[50] < 0.01
    server.signal(signal.SIGCONT)
    # Who has to know asks it at once.
    until = time.monotonic() + 20
    while not redis.works():
        assert time.monotonic() < until
    until_it_answers(redis)


def test_while_it_is_gone_one_caller_at_a_time_tries(monkeypatch):
    monkeypatch.setattr(room, "_LEFT_ALONE_SECONDS", 0.3)
    tries = []
    with listening(lambda connection: (tries.append(1), connection.recv(100))) as port:
        redis = Redis(f"redis://127.0.0.1:{port}", KEY)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            threads = [threading.Thread(target=asked, args=(redis,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    # The first eight may all try; after them one at a time.
    assert 2 <= len(tries) <= 8 + 4


def test_one_that_is_full_is_not_gone_but_does_not_work(redis_server, patient):
    server = redis_server("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    redis = Redis(server.url, KEY)
    with structlog.testing.capture_logs() as told:
        assert not redis.works()
        assert not redis.works()
        assert asked(redis)[0]
    assert [each["event"] for each in told] == ["redis refuses"]
    assert told[0]["reason"] == "OutOfMemoryError"


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_wrong_password_is_told_without_it(redis_server, patient, level):
    server = redis_server("--requirepass", "right")
    stream = io.StringIO()
    configure_logs(level, stream)
    try:
        redis = Redis(server.url.replace("//", "//ann:canary-7@"), KEY)
        assert not asked(redis)[0]
        assert not redis.works()
    finally:
        configure_logs("info")
    assert '"reason":"AuthenticationError"' in stream.getvalue()
    assert "canary" not in f"{stream.getvalue()}{redis}{vars(redis)}"


def test_the_right_password_is_taken_from_the_address(redis_server, patient):
    server = redis_server("--requirepass", "a/b c")
    assert Redis(server.url.replace("//", "//:a%2Fb%20c@"), KEY).works()


def test_a_socket_file_is_an_address_too(redis_server, tmp_path, short):
    redis_server("--unixsocket", str(tmp_path / "s"))
    until_it_answers(Redis(f"unix://{tmp_path}/s?db=3", KEY))
    assert not Redis(f"unix://{tmp_path}/nothing", KEY).works()


def write_certificate(folder):
    """Write a key and a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "own.crt").write_bytes(certificate.public_bytes(pem))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.key").write_bytes(key.private_bytes(pem, *private))


def test_over_tls_only_a_known_certificate_is_believed(redis_server, patient, tmp_path):
    write_certificate(tmp_path)
    port = free_port()
    given = ("cert-file", "own.crt"), ("key-file", "own.key"), ("ca-cert-file", "own.crt")
    files = [part for name, file in given for part in (f"--tls-{name}", str(tmp_path / file))]
    redis_server("--tls-port", str(port), "--tls-auth-clients", "no", *files)
    url = f"rediss://localhost:{port}"
    assert Redis(f"{url}?ssl_ca_certs={tmp_path}/own.crt", KEY).works()
    assert not Redis(url, KEY).works()
    assert not Redis(f"{url}?ssl_ca_certs={tmp_path}/nothing", KEY).works()


@contextmanager
def listening(talk):
    """Listens on a port; ``talk`` has each connection in a thread, which is closed afterwards."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=held, args=(connection,), daemon=True).start()

    def held(connection):
        with connection, suppress(OSError):
            talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


NOISE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"", b"\r\n", b"\x00" * 100, b"$5\r\nab", b"$x\r\n", b"$-7\r\n", b":x\r\n", b"*2\r\n",
    b"*-3\r\n",
    b"$99999999999999999999\r\nx\r\n", b"\xff\xfe\r\n", b"-\r\n", b"-ERR \xff\r\n", b"+OK\r\n" * 9,
    b"%1\r\n+a\r\n+b\r\n", b">3\r\n+message\r\n+a\r\n+b\r\n", os.urandom(5000) + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
def test_what_is_no_redis_fails_in_one_way_only(noise, short):
    def talk(connection):
        connection.recv(1000)
        connection.sendall(noise)
        connection.recv(1000)

    with listening(talk) as port:
        redis = Redis(f"redis://127.0.0.1:{port}", KEY)
        for _ in range(3):
            # Some noise is an answer: what it is worth is for the asker to judge.
            assert asked(redis)[1] < 2
            time.sleep(0.11)


def test_a_program_that_ends_does_not_wait_for_a_frozen_one(redis_server):
    server = redis_server()
    server.signal(signal.SIGSTOP)
    code = f"from app.redis import Redis; assert not Redis({server.url!r}, b'k').works()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
