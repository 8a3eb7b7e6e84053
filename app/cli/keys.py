"""The commands about keys: making, listing and revoking them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from app.access import SCOPES, KeyFileError, KeyRecord, keep_key, new_key, read_keys, revoke_key
from app.cli.telling import told_settings

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=3660)
_HEADINGS = ("id", "state", "scopes", "not before", "expires", "name")

_file = click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="ASSAY_KEYS_FILE."
)


def length(text: str) -> timedelta:
    """Read a length of time such as ``90d``; one longer than ten years is refused."""
    match = re.fullmatch("([1-9][0-9]{0,4})([hdw])", text)
    read = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta.max
    if read > _LONGEST:
        raise click.BadParameter(f"{text!r} is no length such as 12h, 90d or 26w")
    return read


def moment(text: str) -> datetime:
    """Read a date, or a moment in ISO 8601; without a zone it is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no moment such as 2026-01-31T06:00Z") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


@click.group()
def keys() -> None:
    """Keys of callers."""


@keys.command()
@click.option("--name", required=True, help="Whose key it is.")
@click.option("--scope", "scopes", required=True, multiple=True, help="What it may; repeatable.")
@click.option("--not-before", type=moment, help="When it begins to be valid.")
@click.option("--expires-in", type=length, help="How long it is valid, such as 90d.")
@_file
def create(
    name: str,
    scopes: tuple[str, ...],
    file: Path | None,
    **valid: Any,  # noqa: ANN401 - as the options are read
) -> None:
    """Make a key and print it, this once, as the last line; only its hash is kept."""
    path = file or told_settings().keys_file
    try:
        key, record = new_key(name, *scopes, **_moments(**valid))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with _told(path, "written"):
        keep_key(path, record)
    for scope in sorted(record.scopes.difference(SCOPES)):
        click.echo(f"scope {scope} lets read what says 'access: {scope}'", err=True)
    held = ", ".join(sorted(record.scopes))
    click.echo(f"key {record.id} for {name} with scope {held}, kept in {path}", err=True)
    click.echo(key)


@keys.command("list")
@_file
def list_keys(file: Path | None) -> None:
    """List the keys of the file: ids, states, scopes and names; no key can be shown again."""
    path = file or told_settings().keys_file
    with _told(path, "read"):
        records = read_keys(path)
    rows = [_HEADINGS, *(_row(record) for record in records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@keys.command()
@click.argument("key_id")
@_file
def revoke(key_id: str, file: Path | None) -> None:
    """Have the key of that id be refused from now on; its record stays."""
    path = file or told_settings().keys_file
    with _told(path, "written"):
        known = revoke_key(path, key_id)
    if not known:
        raise click.ClickException("no key of that id; see: keys list")
    click.echo(f"key {key_id} is revoked")


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except KeyFileError as error:
        told = f"{path.name} is broken: {error}; mend it, or bring back the one from before"
        raise click.ClickException(told) from error
    except OSError as error:
        raise click.ClickException(f"{path.name} cannot be {what}: {error}") from error


def _moments(
    not_before: datetime | None, expires_in: timedelta | None
) -> dict[str, datetime | None]:
    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = None if expires_in is None else (not_before or now) + expires_in
    return {"not_before": not_before, "expires_at": expires_at}


def _row(record: KeyRecord) -> tuple[str, ...]:
    moments = (record.not_before, record.expires_at)
    told = [f"{each.astimezone(UTC):%Y-%m-%dT%H:%MZ}" if each else "-" for each in moments]
    scopes = ",".join(sorted(record.scopes))
    return record.id, record.state(datetime.now(UTC)), scopes, *told, record.name
