"""Behind Debian's nginx, by the file that the docs give: TLS, limits, addresses, long exports."""

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.conftest import ROOT, Server, free_port, servers
from tests.journeys.test_exports_served import long_table

__all__ = ["long_table"]
SHIPPED = ROOT / "docs" / "how-to" / "nginx.conf"
ROWS = "/api/v1/datasets/forecasts/rows"
REFRESH = "/api/v1/data/refresh"
MAIN = """\
{user}daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 2;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/assay.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx, and the service behind it."""

    port: int
    folder: Path
    server: Server

    def ask(self, path, method="GET", **asked):
        """Give the status, the headers and the body of an answer through TLS."""
        known = ssl.create_default_context(cafile=self.folder / "cert.pem")
        link = HTTPSConnection("127.0.0.1", self.port, context=known, timeout=30)
        with closing(link):
            link.request(method, path, **asked)
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read()

    @property
    def behind(self):
        return int(self.server.url.rpartition(":")[2])


@contextmanager
def proxied(settings, tmp_path):
    """Nginx on free ports, with a certificate of its own, and its files in a folder of its own."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no nginx was found")
    folder = tmp_path / "nginx"
    folder.mkdir()
    certify(folder)
    with servers(settings, tmp_path) as start:
        running = start(workers=2, trusted_proxies=1)
        port, plain, behind = free_port(), free_port(), running.url.rpartition(":")[2]
        text = SHIPPED.read_text()
        for given, ours in {
            "listen 443": f"listen 127.0.0.1:{port}",
            "listen 80": f"listen 127.0.0.1:{plain}",
            "127.0.0.1:8000": f"127.0.0.1:{behind}",
            "/etc/ssl/assay/CERTIFICATE.pem": f"{folder}/cert.pem",
            "/etc/ssl/assay/KEY.pem": f"{folder}/key.pem",
            "DATA.EXAMPLE": "_",
        }.items():
            assert given in text
            text = text.replace(given, ours)
        (folder / "assay.conf").write_text(text)
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        process = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf"])
        try:
            until_listening(port, process)
            yield Proxy(port, folder, running)
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture(scope="module")
def proxy(dashboard_settings):
    """One for all who change neither what is served nor what is counted."""
    with proxied(dashboard_settings, dashboard_settings.state.parent) as running:
        yield running


@pytest.fixture
def own_proxy(settings, registry_file, tmp_path):
    """One of this test's own."""
    with proxied(settings, tmp_path) as running:
        yield running


def certify(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def until_listening(port, process):
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def test_an_answer_comes_through_as_it_is(proxy):
    series = "timeseries?start=2026-01-01&end=2026-01-10"
    status, headers, body = proxy.ask(f"/api/v1/items/B%2F1/{series}")
    assert (status, headers["Server"], body[:16]) == (200, "Assay", b'{"item_id":"B/1"')
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    # The proxy names the request, so its log and the service's speak of the same one.
    assert len(headers["X-Request-Id"]) == 32
    assert headers["X-Request-Id"] in proxy.server.told()
    tag = {"If-None-Match": headers["ETag"]}
    assert proxy.ask(f"/api/v1/items/B%2F1/{series}", headers=tag)[0] == 304
    for path, expected in ((f"/api/v1/items/B/1/{series}", 200), ("/docs", 200), ("/docs//x", 404),
                           ("/health", 200), ("/docs/..%2f..%2fetc%2fpasswd", 400)):  # fmt: skip
        assert proxy.ask(path)[0] == expected, path


def test_an_export_is_streamed_whole_and_in_ranges(own_proxy, long_table):
    long_table(200)
    status, headers, whole = own_proxy.ask(f"{ROWS}.csv")
    assert (status, int(headers["Content-Length"])) == (200, len(whole))
    assert len(whole) > 8_000_000
    digest = hashlib.sha256()
    for start in range(0, len(whole), 3_000_000):
        asked = {"Range": f"bytes={start}-{start + 2_999_999}", "If-Range": headers["ETag"]}
        status, part, body = own_proxy.ask(f"{ROWS}.csv", headers=asked)
        assert (status, part["ETag"]) == (206, headers["ETag"])
        digest.update(body)
    assert digest.digest() == hashlib.sha256(whole).digest()
    assert own_proxy.ask(f"{ROWS}.csv", headers={"Range": f"bytes={len(whole)}-"})[0] == 416


def test_who_guesses_keys_cannot_be_somebody_else(own_proxy, admin):
    statuses = [
        own_proxy.ask("/health", headers={"X-API-Key": "x", "X-Forwarded-For": f"10.0.0.{n}"})[0]
        for n in range(40)
    ]
    # Each of the two workers counts for itself.
    assert statuses[:10] == [401] * 10
    assert 429 in statuses
    assert own_proxy.ask("/health", headers={"X-Forwarded-For": "10.0.0.1"})[0] == 200


def test_who_is_slow_ends_at_the_proxy(proxy, dashboard_admin):
    key = f"X-API-Key: {dashboard_admin['X-API-Key']}\r\nContent-Type: application/json\r\n"
    head = f"POST {REFRESH} HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 100\r\n\r\n{{"
    known = ssl.create_default_context(cafile=proxy.folder / "cert.pem")
    before = proxy.server.told().count('"request"')
    with ExitStack() as links:
        for _ in range(40):
            link = socket.create_connection(("127.0.0.1", proxy.port))
            secure = known.wrap_socket(link, server_hostname="127.0.0.1")
            links.enter_context(secure).sendall(head.encode())
        for _ in range(5):
            assert proxy.ask("/health/live")[0] == 200
    assert proxy.server.told().count('"request"') == before + 5


def test_limits_hold_at_the_proxy_and_behind_it(proxy, dashboard_admin):
    headers = {**dashboard_admin, "Content-Type": "application/json", "Prefer": "wait=30"}
    assert proxy.ask(REFRESH, "POST", headers=headers, body=b" " * 70_000)[0] == 413
    assert proxy.ask("/health", headers={"X-Long": "x" * 20_000})[0] == 400
    # A body in pieces is passed on whole, with its length.
    pieces = iter([b'{"dry_run"', b": true}"])
    status, _, body = proxy.ask(REFRESH, "POST", headers=headers, body=pieces)
    assert (status, b"changes" in body) == (200, True)
    statuses = [proxy.ask("/health/live")[0] for _ in range(20)]
    assert statuses == [200] * 20
