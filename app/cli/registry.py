"""The commands about ``datasets.yaml``."""

import json
from pathlib import Path

import click

from app.cli.telling import refused, tell, told_settings
from app.errors import RegistryError, ServiceError
from app.refresh import Tools, check_data
from app.registry import json_schema, read_registry


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--data", is_flag=True, help="Load the tables too, aside, and check them.")
def validate(file: Path | None, data: bool) -> None:  # noqa: FBT001 - click hands flags over so
    """Check datasets.yaml (FILE, or ASSAY_REGISTRY); with --data also what it declares."""
    settings = told_settings()
    try:
        registry = read_registry(file or settings.registry)
    except RegistryError as error:
        refused(error)
    errors: list[ServiceError] = []
    if data:
        errors = check_data(registry, Tools.of(settings))
    for each in errors:
        tell(each)
    if errors:
        raise SystemExit(1)
    click.echo(f"{registry.name}: {len(registry.datasets)} datasets, no errors")


@click.command()
def schema() -> None:
    """Print the JSON Schema of datasets.yaml."""
    click.echo(json.dumps(json_schema(), indent=2))
