"""Makes the first Generation, where a service is to start and there is none."""

from typing import NoReturn

import click

from app.cli.progress import follow
from app.cli.refreshing import told_refresher
from app.cli.telling import refused, tell
from app.errors import RegistryError, ServiceError
from app.refresh import Request
from app.settings import Settings


def make_first(settings: Settings) -> None:
    """Make a Generation.

    Raises:
        SystemExit: none can be made.
    """
    refresher = told_refresher(settings)
    try:
        job = follow(refresher, refresher.trigger(Request(by="serve")))
    except RegistryError as error:
        tell(error)
        _give_up()
    except ServiceError as error:
        refused(error)
    if job.problem is not None:
        tell(job.problem)
        _give_up()


def _give_up() -> NoReturn:
    raise click.ClickException("there is nothing to serve: no Generation was ever made")
