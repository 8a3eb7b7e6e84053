"""What a person at a terminal is shown while a command works, and of mistaken settings."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import click

from app.errors import ServiceError
from app.refresh import Job, Refresher
from app.registry import Diagnostic
from app.settings import Settings, SettingsError, read_settings

_LONGEST_SECONDS = 24 * 3600.0


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


def follow(refresher: Refresher, job: Job) -> Job:
    """Wait for a job to finish, with a bar of the bytes it has copied."""
    with click.progressbar(length=1, label="refreshing", show_eta=False) as bar:

        def tell(seen: Job) -> None:
            total = bar.length = max(seen.progress["total"], 1)
            bar.update((total if seen.finished else seen.progress["done"]) - bar.pos)

        return refresher.wait(job.job_id, _LONGEST_SECONDS, tell)


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


def lines_of_plan(report: Mapping[str, Any]) -> list[str]:
    """Give a dry run's report as lines: what changes, what would break, what to look at."""
    lines = [_change_line(each) for each in report["changes"]]
    lines += [f"breaking: {reason}" for reason in report["breaking"]]
    return [*lines, *(f"{each['dataset']}: {each['message']}" for each in report["problems"])]


def _change_line(change: Mapping[str, Any]) -> str:
    rows, keys, columns = change["rows"], change["by_key"], change["columns"]
    line = (
        f"{change['name']}: {change['outcome']}, {rows['before'] or 0} -> {rows['after'] or 0} rows"
    )
    if keys and any(keys.values()):
        line += f" (+{keys['added']} -{keys['removed']} ~{keys['changed']})"
    named = [f"+{name}" for name in columns["added"]] + [f"-{name}" for name in columns["removed"]]
    named += [f"{each['name']}: {each['from']} -> {each['to']}" for each in columns["retyped"]]
    return f"{line}, columns {', '.join(named)}" if named else line
