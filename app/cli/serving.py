"""The command that serves: a first Generation where there is none, and the server.

Each worker imports the service for itself, so that this process imports no more of it than it asks.
"""

import errno
import multiprocessing
import os
import socket
from importlib import import_module

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from app.access import KeyFileError, open_keyring
from app.cli.telling import tell, told_settings
from app.errors import RegistryError
from app.logs import configure_logs, server_logging
from app.pointer import named_in
from app.registry import read_registry
from app.settings import DOOR_SECONDS, DOORS, Settings

_STOP_SECONDS = 15
_HEADER_MILLISECONDS = 15_000
# DuckDB's allocator keeps what was freed for ten seconds, beside what is taken meanwhile: as much
# again as the engine may use. It reads this when DuckDB is imported, so it is for the workers.
_GIVEN_BACK = ("DUCKDB_JE_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0")


@click.command()
@click.option("--host", help="Address to listen on (ASSAY_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (ASSAY_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes (ASSAY_WORKERS).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve; makes the first Generation where there is none."""
    settings = told_settings(host=host, port=port, workers=workers)
    first_generation(settings)
    run_server(settings)


def first_generation(settings: Settings) -> None:
    """Make a Generation where there is none; an earlier one is served even if the registry broke.

    Raises:
        SystemExit: there is none, and none can be made.
    """
    if named_in(settings.state) is None:
        # Found by its name: a service that has a Generation starts without all that makes one.
        import_module("app.cli.first").make_first(settings)
        return
    try:
        read_registry(settings.registry)
    except RegistryError as error:
        told = "the registry is broken; the last Generation is served, degraded:"
        click.echo(told, err=True)
        tell(error)


def run_server(settings: Settings) -> None:
    """Serve with worker processes until a signal; accepted requests are finished first."""
    check_port(settings)
    _check_keys(settings)
    # The server has a word or two to say before its workers do.
    configure_logs(settings.log_level)
    os.environ.update(settings.environment())
    os.environ.setdefault(*_GIVEN_BACK)
    # A worker that was forked after DuckDB had been opened could hang or crash.
    multiprocessing.set_start_method("spawn", force=True)
    Granian(
        "app.service.door:door_from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=DOORS,
        blocking_threads_idle_timeout=DOOR_SECONDS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MILLISECONDS),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
        log_access=False,
        log_dictconfig=server_logging(),
    ).serve()


def check_port(settings: Settings) -> None:
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
        told = f"the keys file is broken, nobody has one of its keys: {problem}"
        click.echo(told, err=True)
