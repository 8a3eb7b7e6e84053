"""The commands, one function each; what they do is done by the rooms below."""

import json
from pathlib import Path
from typing import NoReturn

import click

from app import __version__
from app.cli.demo_data import write_demo_data
from app.cli.keys import keys
from app.cli.progress import follow, lines_of, lines_of_plan, told_settings
from app.cli.serving import first_generation, prepare_demo, run_server
from app.discovery import Plugins
from app.errors import RegistryError, ServiceError
from app.generation import Store
from app.http import document_of
from app.refresh import Refresher, Request, Tools, check_data, check_names, dry_run
from app.registry import json_schema, read_registry, yaml_text
from app.service import Worker
from app.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="assay")
def main() -> None:
    """Assay serves gold tables as a documented REST API."""


@main.command()
@click.option("--host", help="Address to listen on (ASSAY_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (ASSAY_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes (ASSAY_WORKERS).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve; makes the first Generation where there is none."""
    settings = told_settings(host=host, port=port, workers=workers)
    first_generation(settings)
    run_server(settings)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (ASSAY_PORT).")
def demo(port: int | None) -> None:
    """Write demo data where there is none, make a key, and serve."""
    settings = told_settings(port=port)
    prepare_demo(settings)
    run_server(settings)


@main.command("demo-data")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--items", type=click.IntRange(1), default=500, show_default=True)
@click.option("--days", type=click.IntRange(61), default=730, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
def demo_data(folder: Path, items: int, days: int, seed: int) -> None:
    """Write demo gold tables into FOLDER."""
    write_demo_data(
        folder,
        items=items,
        days=days,
        seed=seed,
        progress=lambda name, rows: click.echo(f"{name}: {rows:,} rows"),
    )


@main.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--data", is_flag=True, help="Load the tables too, aside, and check them.")
def validate(file: Path | None, data: bool) -> None:  # noqa: FBT001 - click hands flags over so
    """Check datasets.yaml (FILE, or ASSAY_REGISTRY); with --data also what it declares."""
    settings = told_settings()
    try:
        registry = read_registry(file or settings.registry)
    except RegistryError as error:
        _refuse(error)
    errors: list[ServiceError] = []
    if data:
        errors = check_data(registry, Tools.of(settings))
    for each in errors:
        _tell(each)
    if errors:
        raise SystemExit(1)
    click.echo(f"{registry.name}: {len(registry.datasets)} datasets, no errors")


@main.command()
@click.option("--source", help="Look at this source's data only.")
@click.option("--dataset", "datasets", multiple=True, help="Look at this dataset only; repeatable.")
@click.option("--force", is_flag=True, help="Read files again that look unchanged.")
def refresh(source: str | None, datasets: tuple[str, ...], force: bool) -> None:  # noqa: FBT001 - as above
    """Make the next Generation, with or without a server on the same state directory."""
    settings = told_settings()
    refresher = _refresher(settings)
    try:
        job = refresher.trigger(Request(source, datasets, force, by="command line"))
    except ServiceError as error:
        _refuse(error)
    job = follow(refresher, job)
    if job.problem is not None:
        for line in lines_of(job.problem):
            click.echo(line, err=True)
        raise SystemExit(1)
    for each in job.datasets:
        click.echo(f"{each['name']}: {each['outcome']}")
    click.echo(f"{job.status}: generation {job.generation['to']}")


@main.command()
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
        report = dry_run(Store.at(settings.state), Tools.of(settings), request)
    except ServiceError as error:
        _refuse(error)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for line in lines_of_plan(report):
            click.echo(line)
    raise SystemExit(3 if report["breaking"] else 0)


@main.command()
@click.argument("generation", type=click.IntRange(1))
def rollback(generation: int) -> None:
    """Bring the kept GENERATION back under a new number."""
    try:
        asked = Request(by="command line", generation=generation)
        job = _refresher(told_settings()).roll_back(asked)
    except ServiceError as error:
        _refuse(error)
    click.echo(f"{job.status}: generation {job.generation['to']}")


main.add_command(keys)


@main.command()
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json")
def openapi(form: str) -> None:
    """Print the OpenAPI document of the current Generation."""
    worker = Worker(told_settings())
    try:
        generation = worker.current.pin()
    except ServiceError as error:
        _refuse(error)
    document = document_of(worker.app_for(generation))
    click.echo(yaml_text(document) if form == "yaml" else json.dumps(document, indent=2))


@main.command()
def schema() -> None:
    """Print the JSON Schema of datasets.yaml."""
    click.echo(json.dumps(json_schema(), indent=2))


def _tell(error: ServiceError) -> None:
    for line in lines_of(error):
        click.echo(line, err=True)


def _refuse(error: ServiceError) -> NoReturn:
    _tell(error)
    raise SystemExit(1)


def _refresher(settings: Settings) -> Refresher:
    return Refresher(settings, Store.at(settings.state), Plugins(settings.plugins))
