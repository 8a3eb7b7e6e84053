"""Shared fixtures: real Parquet, a real Store, the real WSGI front, and real worker processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from werkzeug.test import Client

import app.redis
from app.access import keep_key, new_key
from app.dataset import Constant, Dataset, Lineage
from app.engine import (
    DuckEngine,
    EngineLimits,
    Index,
    Loading,
    Queue,
    index_suffix,
    load_table,
    open_index,
)
from app.generation import Store
from app.logs import hidden
from app.query import KEYS, Query, Rows, compile_query
from app.refresh import Job, Jobs, Request, build_waiting
from app.service import make_front
from app.settings import Settings, read_settings
from app.table import Table

# How fast the machine is just now says nothing about what is tested.
hypothesis_settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("any machine")

ROOT = Path(__file__).parent.parent
FIRST_DAY = date(2026, 1, 1)
DAYS = 10
REGISTRY = """\
version: 1
sources:
  gold: {location: gold}
datasets:
  items:
    title: Items
    source: gold
    path: dim_items.parquet
    keys: [item_id]
    lineage: {dataset_id: dataset_id, model_version: {value: none}, generated_at: updated_at}
    endpoints: [items]
  forecasts:
    title: Demand forecasts
    source: gold
    path: fact_forecast.parquet
    keys: [item_id, date]
    time: date
    lineage: {dataset_id: dataset_id, model_version: model_version, generated_at: generated_at}
    endpoints:
      timeseries: {items: items}
      summary: {}
  inventory:
    source: gold
    path: fact_inventory.parquet
    keys: [item_id, date]
    time: date
    lineage: {dataset_id: dataset_id, model_version: {value: none}, generated_at: last_updated}
    endpoints: [inventory]
"""

WriteTable = Callable[..., Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long form of the storms be asked for."""
    parser.addoption("--soak", action="store_true", help="run storms and fuzzing in full length")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: at the end one process would work on it, and the other wait."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """What a test configures of the logs ends with it."""
    # The list of processors itself: a client that was made before holds that, not a copy.
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    """Waits until what is told is so."""

    def wait(told: Callable[[], object], seconds: float = 5.0) -> None:
        until = time.monotonic() + seconds
        while not told() and time.monotonic() < until:
            time.sleep(0.002)
        assert told()

    return wait


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether the full length was asked for."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """The folder of gold tables."""
    folder = tmp_path / "gold"
    folder.mkdir()
    return folder


@pytest.fixture
def write_table(gold: Path) -> WriteTable:
    """Writes columns (name -> values, or an Arrow array) as ``<name>.parquet`` into ``gold``."""

    def write(name: str, columns: Mapping[str, Any], **options: Any) -> Path:
        path = gold / f"{name}.parquet"
        aside = path.with_suffix(".part")
        pq.write_table(pa.table(dict(columns)), aside, **options)
        aside.rename(path)
        return path

    return write


def forecast_columns(version: str = "v1", factor: float = 1.0) -> dict[str, Any]:
    """Columns of forecasts: items A and B/1, ten days, the last three without an actual."""
    days = [FIRST_DAY + timedelta(days=day) for day in range(DAYS)]
    rows = [(item, day) for item in ("A", "B/1") for day in days]
    stamp = datetime(2026, 1, 5, 3, tzinfo=UTC)
    return {
        "item_id": [item for item, _ in rows],
        "date": pa.array([day for _, day in rows], pa.date32()),
        "forecast": [factor * (1 + day.day) for _, day in rows],
        "actual": pa.array(
            [None if day.day > DAYS - 3 else float(day.day) for _, day in rows], pa.float64()
        ),
        "source": ["seasonal"] * len(rows),
        "model_version": [version if day.day > 2 else "v0" for _, day in rows],
        "dataset_id": ["run-1"] * len(rows),
        "generated_at": pa.array(
            [stamp + timedelta(hours=day.day) for _, day in rows], pa.timestamp("us", tz="UTC")
        ),
    }


def item_columns() -> dict[str, Any]:
    """Columns of items: A and B/1 with forecasts, C without."""
    stamp = datetime(2026, 1, 2, tzinfo=UTC)
    return {
        "item_id": ["A", "B/1", "C"],
        "name": ["Antenna", "Battery", "Cable"],
        "category": ["radio", "power", "power"],
        "sku": ["ANT-1", "BAT-1", "CAB-1"],
        "dataset_id": ["dim-1"] * 3,
        "updated_at": pa.array([stamp] * 3, pa.timestamp("us", tz="UTC")),
    }


def inventory_columns() -> dict[str, Any]:
    """Columns of inventory: items A and B/1 on three days."""
    rows = [(item, FIRST_DAY + timedelta(days=day)) for item in ("A", "B/1") for day in range(3)]
    return {
        "item_id": [item for item, _ in rows],
        "date": pa.array([day for _, day in rows], pa.date32()),
        "current_stock": [10 * day.day for _, day in rows],
        "reorder_point": [15] * len(rows),
        "safety_stock": [5] * len(rows),
        "dataset_id": ["stock-1"] * len(rows),
        "last_updated": pa.array(
            [datetime(2026, 1, day.day, 6, tzinfo=UTC) for _, day in rows],
            pa.timestamp("us", tz="UTC"),
        ),
    }


@pytest.fixture
def registry_file(tmp_path: Path, write_table: WriteTable) -> Path:
    """A registry of items, forecasts and inventory, with their tables."""
    write_table("dim_items", item_columns())
    write_table("fact_forecast", forecast_columns())
    write_table("fact_inventory", inventory_columns())
    path = tmp_path / "datasets.yaml"
    path.write_text(REGISTRY)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a service that lives in ``tmp_path``, with the shipped plugins."""
    return read_settings(
        {
            "ASSAY_REGISTRY": str(tmp_path / "datasets.yaml"),
            "ASSAY_STATE": str(tmp_path / "state"),
            "ASSAY_PLUGINS": str(ROOT / "plugins"),
        }
    )


@dataclass(frozen=True)
class Bench:
    """Loads tables into a folder and asks them; needs no registry and no Store."""

    folder: Path

    @property
    def limits(self) -> EngineLimits:
        return EngineLimits(threads=2, memory_bytes=256 << 20, spill=self.folder / "spill")

    def dataset(self, name: str = "sales", keys: Sequence[str] = ("k",), **fields: Any) -> Dataset:
        """A dataset with constant lineage, unless ``fields`` say otherwise."""
        none = Lineage(Constant("run-1"), Constant("none"), Constant("2026-01-01T00:00:00Z"))
        return Dataset(name, "gold", "*.parquet", tuple(keys), **{"lineage": none, **fields})

    def loading(self, *files: Any, dataset: Dataset | None = None) -> Loading:
        """A Loading of files: columns by name, an Arrow table, or bytes that may be no Parquet."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        copies = [folder / f"{index:04d}.parquet" for index in range(len(files))]
        for copy, content in zip(copies, files, strict=True):
            if isinstance(content, bytes):
                copy.write_bytes(content)
            else:
                table = pa.table(dict(content)) if isinstance(content, Mapping) else content
                pq.write_table(table, copy)
        facts = [
            {"path": copy.name, "sha256": sha256(copy.read_bytes()).hexdigest(), "bytes": 1}
            for copy in copies
        ]
        return Loading(dataset or self.dataset(), copies, facts)

    def load(
        self, *files: Any, dataset: Dataset | None = None, index_bytes: int = 0
    ) -> tuple[Dataset, Table]:
        """Load files as one Table; the dataset as it is served, and the Table."""
        loading = self.loading(*files, dataset=dataset)
        table = load_table(loading, self.folder, self.limits, index_bytes)
        return table.completed(loading.dataset), table

    def index(self, table: Table, order: str = KEYS, rollup: Table | None = None) -> Index | None:
        """The index of an order of a Table, or of a rollup in it, if it has one that is whole."""
        return open_index(self.folder / f"{table.hash}{index_suffix(order)}", rollup or table)

    def engine(self, *loaded: tuple[Dataset, Table], queue: Queue | None = None) -> DuckEngine:
        """An engine on these Tables, in its shut box."""
        files = {dataset.name: self.folder / f"{table.hash}.duckdb" for dataset, table in loaded}
        return DuckEngine(files, self.limits, queue or Queue(running=8, waiting=8))

    def ask(self, columns: Any, dataset: Dataset | None = None, **question: Any) -> Rows:
        """Load columns and run one Query on them."""
        loaded = self.load(columns, dataset=dataset)
        return self.engine(loaded).run(compile_query(Query(loaded[0], **question)))


@pytest.fixture(scope="session")
def bench_at() -> type[Bench]:
    """Makes a Bench in a folder, for fixtures that live longer than a test."""
    return Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A Bench of this test's own."""
    return Bench(tmp_path)


Refresh = Callable[..., Job]


@pytest.fixture
def refresh(settings: Settings) -> Refresh:
    """Makes the next Generation in this process, as the builder would; gives the job."""

    def make(*datasets: str, force: bool = False) -> Job:
        store = Store.at(settings.state)
        job, _ = Jobs(store).submit(Request(None, datasets, force, by="test"))
        build_waiting(settings)
        return Jobs(store).job(job.job_id)

    return make


@pytest.fixture
def client(settings: Settings, registry_file: Path, refresh: Refresh) -> Client:
    """A client of the WSGI front on a first Generation; tests may refresh again."""
    assert refresh().status == "succeeded"
    return Client(make_front(settings))


@pytest.fixture
def admin(settings: Settings) -> dict[str, str]:
    """The headers of a caller with scope admin."""
    return key_headers(settings, "admin")


def key_headers(settings: Settings, scope: str) -> dict[str, str]:
    """Make a key with that scope and give the headers that carry it."""
    key, record = new_key(f"test {scope}", scope)
    keep_key(settings.keys_file, record)
    return {"X-API-Key": key}


@dataclass(frozen=True)
class Server:
    """A running service with real worker processes."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def told(self) -> str:
        """Give its log once no line has come for a while: workers write some together."""
        before = None
        while (told := self.log.read_text()) != before:
            before = told
            time.sleep(0.2)
        return told


StartServer = Callable[..., Server]


@contextmanager
def servers(settings: Settings, folder: Path) -> Iterator[StartServer]:
    """Starts ``python -m app serve`` on free ports, with logs in ``folder``; stopped at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(workers: int = 2, arguments: Sequence[str] = (), **others: Any) -> Server:
        port = free_port()
        log = folder / f"server-{port}.log"
        told = replace(settings, port=port, **others).environment()
        environment = {**os.environ, **told}
        command = [sys.executable, "-m", "app", "serve", "--workers", str(workers), *arguments]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(f"{url}/health/ready", process, log)
        return Server(url, process, log)

    try:
        yield start
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    for log in folder.glob("server-*.log"):
        told = log.read_text(errors="replace")
        assert hidden(told) == told, "a log tells a key or a token"


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[StartServer]:
    """Starts services of this test's own."""
    with servers(settings, tmp_path) as start:
        yield start


@dataclass
class RedisServer:
    """A Redis of this test's own; it can be killed, frozen and started again."""

    folder: Path
    port: int
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, *self.arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < until, "Redis does not start"
                time.sleep(0.01)
            else:
                return

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @contextmanager
    def client(self, **options: Any) -> Iterator[redis.Redis]:
        """A client of the test's own, which sees and changes everything."""
        with redis.Redis(port=self.port, **options) as client:
            yield client


StartRedis = Callable[..., RedisServer]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[StartRedis]:
    """Starts a real ``redis-server`` on a free port; killed after the test."""
    if shutil.which("redis-server") is None:
        told = "redis-server is not installed"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    started: list[RedisServer] = []

    def start(*arguments: str) -> RedisServer:
        started.append(RedisServer(tmp_path, free_port(), arguments))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis may take its time: how busy the machine is says nothing about what is tested."""
    for name in ("socket_timeout", "socket_connect_timeout"):
        monkeypatch.setitem(app.redis._PATIENCE, name, 30.0)  # noqa: SLF001 - to be tested without


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the service answers, or tell what it said before it ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the service ended: {log.read_text()}")
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the service is not ready: {log.read_text()}")


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
