"""The command line: starts the service, validates, refreshes, makes keys. No logic of its own."""

from app.cli.commands import main

__all__ = ["main"]
