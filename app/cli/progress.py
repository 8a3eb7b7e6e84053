"""What a person at a terminal is shown while a Generation is made, and of what would change."""

from collections.abc import Mapping
from typing import Any

import click

from app.refresh import Job, Refresher

_LONGEST_SECONDS = 24 * 3600.0


def follow(refresher: Refresher, job: Job) -> Job:
    """Wait for a job to finish, with a bar of the bytes it has copied."""
    with click.progressbar(length=1, label="refreshing", show_eta=False) as bar:

        def tell(seen: Job) -> None:
            total = bar.length = max(seen.progress["total"], 1)
            bar.update((total if seen.finished else seen.progress["done"]) - bar.pos)

        return refresher.wait(job.job_id, _LONGEST_SECONDS, tell)


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
