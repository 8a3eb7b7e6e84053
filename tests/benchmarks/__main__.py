"""The benchmark: Assay and its peers on the same data. ``make bench`` runs it."""

import signal
import sys
from pathlib import Path

import click

from tests.benchmarks.circumstances import circumstances
from tests.benchmarks.load import CLIENTS, wrk
from tests.benchmarks.place import ROOT
from tests.benchmarks.report import report, write_into
from tests.benchmarks.rounds import Pace
from tests.benchmarks.run import LOOKS, Run
from tests.benchmarks.workload import NAMED

PARTS = (*NAMED, *LOOKS)
PAGE = ROOT / "docs" / "explanation" / "performance.md"


def _parts(_: click.Context, __: click.Parameter, told: str) -> tuple[str, ...]:
    names = tuple(filter(None, told.replace(",", " ").split()))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}; there are {', '.join(PARTS)}")
    return names or PARTS


@click.command()
@click.option("--peers", type=click.Path(path_type=Path), default=ROOT / ".venv" / "peers" / "bin")
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "build" / "benchmarks")
@click.option("--rounds", default=3, show_default=True, help="How often each cell is measured.")
@click.option("--only", default="", callback=_parts, help="Some parts; nothing is written then.")
def main(peers: Path, folder: Path, rounds: int, only: tuple[str, ...]) -> None:
    """Measure, print the report, and write it into the page on performance if it is whole."""
    if wrk() is None:
        raise click.ClickException(
            f"wrk is missing: {CLIENTS} clients at once need it (apt-get install wrk)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    # Else the targets would go on when this one is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before it was done"))
    run = Run(folder, peers, parts=only, pace=Pace(rounds))
    figures = run.figures(lambda line: click.echo(line, err=True))
    text = report(figures, circumstances(peers, rounds))
    click.echo(text)
    if only == PARTS:
        write_into(PAGE, text)


if __name__ == "__main__":
    main()
