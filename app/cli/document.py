"""The command that prints the OpenAPI document."""

import json

import click

from app.cli.telling import refused, told_settings
from app.errors import ServiceError
from app.http import document_of
from app.registry import yaml_text
from app.service import Worker


@click.command()
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json")
def openapi(form: str) -> None:
    """Print the OpenAPI document of the current Generation."""
    worker = Worker(told_settings())
    try:
        generation = worker.current.pin()
    except ServiceError as error:
        refused(error)
    document = document_of(worker.app_for(generation))
    click.echo(yaml_text(document) if form == "yaml" else json.dumps(document, indent=2))
