"""The commands: where each is. What they do is done by the rooms below."""

from importlib import import_module

import click

from app import __version__

_ROOMS = {
    "serve": "serving",
    "demo": "demo",
    "demo-data": "demo",
    "validate": "registry",
    "refresh": "refreshing",
    "plan": "refreshing",
    "rollback": "refreshing",
    "keys": "keys",
    "openapi": "document",
    "schema": "registry",
}


class _Commands(click.Group):
    """Imports a command when it is asked for: most need but little of the service."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return list(_ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _ROOMS:
            return None
        room = import_module(f"app.cli.{_ROOMS[cmd_name]}")
        command: click.Command = getattr(room, cmd_name.replace("-", "_"))
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="assay")
def main() -> None:
    """Assay serves gold tables as a documented REST API."""
