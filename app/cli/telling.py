"""What a person at a terminal is told of mistaken settings and of refusals."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import click

from app.errors import ServiceError
from app.registry import Diagnostic
from app.settings import Settings, SettingsError, read_settings


def told_settings(**options: object) -> Settings:
    """Read the settings of the environment; options that are given go before them."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        raise click.UsageError(f"the environment has mistakes:\n{error}") from error
    given = {name: value for name, value in options.items() if value is not None}
    return replace(settings, **given)  # type: ignore[arg-type]


def tell(problem: Mapping[str, object] | ServiceError) -> None:
    """Say what was refused, where errors are said."""
    for line in lines_of(problem):
        click.echo(line, err=True)


def refused(error: ServiceError) -> NoReturn:
    """Say what was refused, and end with 1."""
    tell(error)
    raise SystemExit(1)


def lines_of(problem: Mapping[str, object] | ServiceError) -> list[str]:
    """Give a refusal as lines: each error with its place where it has one, or the detail."""
    if isinstance(problem, ServiceError):
        problem = {"detail": problem.detail, **problem.facts}
    errors = problem.get("errors")
    if not isinstance(errors, Sequence) or not errors:
        return [str(problem["detail"])]
    name = f"{problem['dataset']}: " if "dataset" in problem else ""
    return [
        str(Diagnostic(**each)) if "file" in each else f"{name}{each['message']}" for each in errors
    ]
