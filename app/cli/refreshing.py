"""The commands that make Generations, or say what one would be."""

import json

import click

from app.cli.progress import follow, lines_of_plan
from app.cli.telling import refused, tell, told_settings
from app.discovery import Plugins
from app.errors import ServiceError
from app.generation import Store, state_refusal
from app.refresh import Refresher, Request, Tools, check_names, dry_run
from app.registry import read_registry
from app.settings import Settings


@click.command()
@click.option("--source", help="Look at this source's data only.")
@click.option("--dataset", "datasets", multiple=True, help="Look at this dataset only; repeatable.")
@click.option("--force", is_flag=True, help="Read files again that look unchanged.")
def refresh(source: str | None, datasets: tuple[str, ...], force: bool) -> None:  # noqa: FBT001 - as above
    """Make the next Generation, with or without a server on the same state directory."""
    settings = told_settings()
    refresher = told_refresher(settings)
    try:
        job = refresher.trigger(Request(source, datasets, force, by="command line"))
    except ServiceError as error:
        refused(error)
    job = follow(refresher, job)
    if job.problem is not None:
        tell(job.problem)
        raise SystemExit(1)
    for each in job.datasets:
        click.echo(f"{each['name']}: {each['outcome']}")
    click.echo(f"{job.status}: generation {job.generation['to']}")


@click.command()
@click.option("--source", help="Look at this source's data only.")
@click.option("--dataset", "datasets", multiple=True, help="Look at this dataset only; repeatable.")
@click.option("--force", is_flag=True, help="Read files again that look unchanged.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(source: str | None, datasets: tuple[str, ...], force: bool, as_json: bool) -> None:  # noqa: FBT001 - as above
    """Say what a refresh would change: exit 0 nothing breaking, 3 breaking, 1 refused."""
    settings = told_settings()
    try:
        request = Request(source, datasets, force)
        check_names(read_registry(settings.registry), request)
        report = dry_run(told_store(settings), Tools.of(settings), request)
    except ServiceError as error:
        refused(error)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for line in lines_of_plan(report):
            click.echo(line)
    raise SystemExit(3 if report["breaking"] else 0)


@click.command()
@click.argument("generation", type=click.IntRange(1))
def rollback(generation: int) -> None:
    """Bring the kept GENERATION back under a new number."""
    try:
        asked = Request(by="command line", generation=generation)
        job = told_refresher(told_settings()).roll_back(asked)
    except ServiceError as error:
        refused(error)
    click.echo(f"{job.status}: generation {job.generation['to']}")


def told_refresher(settings: Settings) -> Refresher:
    """Give what refreshes, or say why the state directory cannot be used, and end with 1."""
    return Refresher(settings, told_store(settings), Plugins(settings.plugins))


def told_store(settings: Settings) -> Store:
    """Open the Store, or say why that cannot be, and end with 1."""
    try:
        return Store.at(settings.state)
    except OSError as error:
        refused(state_refusal(error))
