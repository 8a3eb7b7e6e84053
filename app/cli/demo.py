"""The commands around the demo: its data, and the whole of it."""

from pathlib import Path

import click

from app.access import drop_key, keep_key, new_key, read_keys
from app.cli.demo_data import write_demo_data
from app.cli.serving import check_port, first_generation, run_server
from app.cli.telling import told_settings
from app.settings import Settings

_DEMO = "demo"


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (ASSAY_PORT).")
def demo(port: int | None) -> None:
    """Write demo data where there is none, make a key, and serve."""
    settings = told_settings(port=port)
    _prepare(settings)
    run_server(settings)


@click.command("demo-data")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--items", type=click.IntRange(1), default=500, show_default=True)
@click.option("--days", type=click.IntRange(61), default=730, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
def demo_data(folder: Path, items: int, days: int, seed: int) -> None:
    """Write demo gold tables into FOLDER."""
    write_demo_data(folder, items=items, days=days, seed=seed, progress=_tell_rows)


def _tell_rows(name: str, rows: int) -> None:
    click.echo(f"{name}: {rows:,} rows")


def _prepare(settings: Settings) -> None:
    """Write demo data where there is none, refresh, make a key, and say what to open."""
    check_port(settings)
    folder = settings.registry.parent / "data" / "gold"
    if not (folder / "fact_inventory.parquet").exists():
        click.echo("==> writing demo data")
        write_demo_data(folder, progress=_tell_rows)
    click.echo("==> making the first Generation, if there is none")
    first_generation(settings)
    _tell_demo(settings, _demo_key(settings.keys_file))


def _demo_key(path: Path) -> str:
    """Make the demo's key anew: its text was shown once and is kept nowhere."""
    for record in read_keys(path) if path.exists() else ():
        if record.name == _DEMO:
            drop_key(path, record.id)
    key, record = new_key(_DEMO, "admin")
    keep_key(path, record)
    return key


def _tell_demo(settings: Settings, key: str) -> None:
    base = f"http://127.0.0.1:{settings.port}"
    api = f"{base}/api/v1"
    period = "start=2025-11-01&end=2025-11-30"
    click.echo(f"""
Open  {base}/docs

curl '{api}/items?limit=3'
curl '{api}/items/I-0001/timeseries?{period}'
curl '{api}/forecasts/summary?{period}&window=week'
curl '{api}/inventory/I-0001'
curl -X POST -H 'X-API-Key: {key}' -H 'Prefer: wait=30' '{api}/data/refresh'
curl '{base}/health'

Stop with Ctrl-C.
""")
