"""Starting the service: a first Generation, the demo, and the server with its workers."""

import errno
import multiprocessing
import os
import socket
from pathlib import Path
from typing import NoReturn

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from app.access import KeyFileError, drop_key, keep_key, new_key, open_keyring, read_keys
from app.cli.demo_data import write_demo_data
from app.cli.progress import follow, lines_of
from app.discovery import Plugins
from app.errors import RegistryError
from app.generation import Store
from app.logs import configure_logs, server_logging
from app.refresh import Refresher, Request
from app.registry import read_registry
from app.service import tracing_of
from app.settings import Settings, SettingsError

# More than questions may run and wait: kept answers, health and refreshes find one free.
_THREADS = 96
_STOP_SECONDS = 15
_HEADER_MILLISECONDS = 15_000
_DEMO = "demo"


def first_generation(settings: Settings) -> None:
    """Make a Generation where there is none; an earlier one is served even if the registry broke.

    Raises:
        SystemExit: there is none, and none can be made.
    """
    store = Store.at(settings.state)
    if store.current() is not None:
        try:
            read_registry(settings.registry)
        except RegistryError as error:
            told = "the registry is broken; the last Generation is served, degraded:"
            _tell([told, *lines_of(error)])
        return
    refresher = Refresher(settings, store, Plugins(settings.plugins))
    try:
        job = follow(refresher, refresher.trigger(Request(by="serve")))
    except RegistryError as error:
        _tell(lines_of(error))
        _give_up()
    if job.problem is not None:
        _tell(lines_of(job.problem))
        _give_up()


def run_server(settings: Settings) -> None:
    """Serve with worker processes until a signal; accepted requests are finished first."""
    _check_port(settings)
    _check_keys(settings)
    _check_extras(settings)
    # The server has a word or two to say before its workers do.
    configure_logs(settings.log_level)
    os.environ.update(settings.environment())
    # A worker that was forked after DuckDB had been opened could hang or crash.
    multiprocessing.set_start_method("spawn", force=True)
    Granian(
        "app.service:front_from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=_THREADS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MILLISECONDS),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
        log_access=False,
        log_dictconfig=server_logging(),
    ).serve()


def prepare_demo(settings: Settings) -> None:
    """Write demo data where there is none, refresh, make a key, and say what to open."""
    _check_port(settings)
    folder = settings.registry.parent / "data" / "gold"
    if not (folder / "fact_inventory.parquet").exists():
        click.echo("==> writing demo data")
        write_demo_data(folder, progress=lambda name, rows: click.echo(f"{name}: {rows:,} rows"))
    click.echo("==> making the first Generation, if there is none")
    first_generation(settings)
    _tell_demo(settings, _demo_key(settings.keys_file))


def _demo_key(path: Path) -> str:
    """Make the demo's key anew: its text was shown once and is kept nowhere."""
    for record in read_keys(path) if path.exists() else ():
        if record.name == _DEMO:
            drop_key(path, record.id)
    key, record = new_key(_DEMO, "admin")
    keep_key(path, record)
    return key


def _tell_demo(settings: Settings, key: str) -> None:
    base = f"http://127.0.0.1:{settings.port}"
    api = f"{base}/api/v1"
    period = "start=2025-11-01&end=2025-11-30"
    click.echo(f"""
Open  {base}/docs

curl '{api}/items?limit=3'
curl '{api}/items/I-0001/timeseries?{period}'
curl '{api}/forecasts/summary?{period}&window=week'
curl '{api}/inventory/I-0001'
curl -X POST -H 'X-API-Key: {key}' -H 'Prefer: wait=30' '{api}/data/refresh'
curl '{base}/health'

Stop with Ctrl-C.
""")


def _check_port(settings: Settings) -> None:
    """Say clearly that a port is taken, before the server says it its own way."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is taken" if taken else f"cannot be used ({error.strerror})"
            where = f"{settings.host}:{settings.port}"
            hint = "choose another: PORT=8001 make demo, or --port 8001"
            raise click.ClickException(f"{where} {why}; {hint}") from error


def _check_keys(settings: Settings) -> None:
    """Say what is wrong with keys or tokens here: each worker would end by it, again and again."""
    try:
        problem = open_keyring(settings).problem
    except KeyFileError as error:
        raise click.ClickException(str(error)) from error
    if problem:
        _tell([f"the keys file is broken, nobody has one of its keys: {problem}"])


def _check_extras(settings: Settings) -> None:
    """Say which extra is missing here, for the same reason."""
    try:
        tracing_of(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _tell(lines: list[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


def _give_up() -> NoReturn:
    raise click.ClickException("there is nothing to serve: no Generation was ever made")
