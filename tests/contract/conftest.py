"""A site for the docs to be tried on: the demo's data, and the service on it."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from werkzeug.serving import make_server
from werkzeug.test import Client

from app.access import keep_key, new_key
from app.cli.demo_data import write_demo_data
from app.discovery import Plugins
from app.generation import Store
from app.refresh import Refresher, Request, build_waiting
from app.service import make_front
from app.settings import read_settings

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8000"


class Site:
    """A folder like a fresh checkout with demo data, and the service on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = read_settings(
            {
                "ASSAY_REGISTRY": str(folder / "datasets.yaml"),
                "ASSAY_STATE": str(folder / ".assay"),
                "ASSAY_PLUGINS": str(folder / "plugins"),
            }
        )
        self.key, record = new_key("docs", "admin")
        write_demo_data(folder / "data" / "gold")
        shutil.copy(ROOT / "datasets.yaml", folder)
        shutil.copytree(ROOT / "plugins", folder / "plugins")
        keep_key(self.settings.keys_file, record)
        self.refresher = Refresher(
            self.settings, Store.at(self.settings.state), Plugins(self.settings.plugins)
        )
        self.refresher.jobs.submit(Request(by="serve"))
        build_waiting(self.settings)
        self._first = folder.with_name(f"{folder.name}-first")
        shutil.copytree(folder, self._first, symlinks=True)
        self._client: Client | None = None
        self._url: str | None = None
        self.told: dict[str, str] = {}

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(make_front(self.settings))
        return self._client

    @property
    def url(self) -> str:
        """Give the address of a real server, started at the first use on a page."""
        if self._url is None:
            front = self.client.application
            self._server = make_server("127.0.0.1", 0, front, threaded=True)
            self._thread = threading.Thread(target=self._server.serve_forever)
            self._thread.start()
            self._url = f"http://127.0.0.1:{self._server.port}"
        return self._url

    def addressed(self, text: str) -> str:
        """Give the text with the address of a server that answers."""
        return text.replace(ADDRESS, self.url) if ADDRESS in text else text

    def stop(self) -> None:
        if self._url is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._client = self._url = None

    def reset(self) -> None:
        """Stop, and make the folder what it was at first; refreshes under way end before."""
        self.stop()
        until = time.monotonic() + 60
        while not all(job.finished for job in self.refresher.jobs.history()):
            assert time.monotonic() < until, "a refresh does not end"
            time.sleep(0.05)
        # Their builder may still tidy.
        with Store.at(self.settings.state).lock("builders"):
            pass
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self._first, self.folder, symlinks=True, dirs_exist_ok=True)
        self.told = {}

    def run(self, command: list[str], text: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            command, input=text, cwd=self.folder, env=environment, capture_output=True,
            text=True, timeout=100, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{text}\n{ran.stdout}\n{ran.stderr}"


@pytest.fixture(scope="session")
def docs_site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("docs") / "site")


@pytest.fixture
def site(docs_site, monkeypatch):
    monkeypatch.chdir(docs_site.folder)
    yield docs_site
    docs_site.reset()
