"""The gold tables that all targets serve. Same size and seed, same values; reads no clock.

python -m tests.benchmarks.gold FOLDER --items 5000

A process of its own: what this one imports is shared with the service whose memory is measured.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = 730
START = np.datetime64("2024-01-01")
# The last of the days are still to come: they have a forecast and no actual.
LIVE_DAYS = 30
CATEGORIES = np.array(["Antennas", "Batteries", "Cables", "Connectors", "Fibre", "Power"])
GROUP_ITEMS = 168
BLOCK_ITEMS = 16 * GROUP_ITEMS
FORECASTS = pa.schema(
    {
        "item_id": pa.int64(),
        "date": pa.date32(),
        "forecast": pa.float64(),
        "actual": pa.float64(),
        "source": pa.string(),
        "model_version": pa.string(),
        "dataset_id": pa.string(),
        "generated_at": pa.timestamp("us", tz="UTC"),
    }
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--items", default=5000)
@click.option("--seed", default=7)
def main(folder: Path, items: int, seed: int) -> None:
    """Write the tables of so many items into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    _write(folder / "dim_items.parquet", item_table(items, draw))
    _write(folder / "fact_inventory.parquet", inventory_table(items, draw))
    unfinished = folder / ".fact_forecast.unfinished"
    with pq.ParquetWriter(unfinished, FORECASTS, compression="zstd") as file:
        for table in forecast_tables(items, draw):
            file.write_table(table, row_group_size=GROUP_ITEMS * DAYS)
    unfinished.replace(folder / "fact_forecast.parquet")


def item_table(items: int, draw: np.random.Generator) -> pa.Table:
    """Give one row an item; ``item_id`` counts from 1."""
    numbers = range(1, items + 1)
    return pa.table(
        {
            "item_id": pa.array(numbers, pa.int64()),
            "name": [f"Part {number}" for number in numbers],
            "category": CATEGORIES[draw.integers(0, len(CATEGORIES), items)],
            "sku": [f"SKU-{number:06d}" for number in numbers],
            "dataset_id": ["items-2025-12"] * items,
            "updated_at": _moments(np.full(items, START + DAYS)),
        }
    )


def inventory_table(items: int, draw: np.random.Generator) -> pa.Table:
    """Give the stock of each item, one row each."""
    return pa.table(
        {
            "item_id": pa.array(range(1, items + 1), pa.int64()),
            "current_stock": draw.integers(0, 500, items),
            "reorder_point": draw.integers(10, 100, items),
            "safety_stock": draw.integers(5, 50, items),
            "last_updated": _moments(np.full(items, START + DAYS)),
            "dataset_id": ["stock-2025-12"] * items,
        }
    )


def forecast_tables(items: int, draw: np.random.Generator) -> Iterator[pa.Table]:
    """Give one row for each item and day, by item and day, in parts that fit into memory."""
    for first in range(1, items + 1, BLOCK_ITEMS):
        yield _forecasts(np.arange(first, min(first + BLOCK_ITEMS, items + 1)), draw)


def _forecasts(items: np.ndarray, draw: np.random.Generator) -> pa.Table:
    count = len(items) * DAYS
    day = np.tile(np.arange(DAYS), len(items))
    level = np.repeat(draw.gamma(2, 30, len(items)), DAYS)
    week = 1 + 0.3 * np.sin(2 * np.pi * day / 7)
    # A model rounds nothing, and most work in 32 bits.
    forecast = (level * week * (1 + draw.normal(0, 0.03, count))).astype("f4").astype("f8")
    actual = np.round(np.maximum(forecast * (1 + draw.normal(0, 0.2, count)), 0), 2)
    live = day >= DAYS - LIVE_DAYS
    unknown = live | (draw.random(count) < 0.01)
    return pa.table(
        {
            "item_id": np.repeat(items, DAYS),
            "date": (START + day).astype("datetime64[D]"),
            "forecast": forecast,
            "actual": pa.array(actual, mask=unknown),
            "source": _texts(live.astype(np.int8), ["backtest", "live"]),
            "model_version": _texts(
                (day * 8 // DAYS).astype(np.int8), [f"tft-2.{number}.0" for number in range(8)]
            ),
            "dataset_id": _texts(np.zeros(count, np.int8), ["forecast-2025-12"]),
            "generated_at": _moments(START + day),
        },
        schema=FORECASTS,
    )


def _texts(numbers: np.ndarray, texts: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers), texts).cast(pa.string())


def _moments(days: np.ndarray) -> pa.Array:
    mornings = days.astype("datetime64[us]") + np.timedelta64(3, "h")
    return pa.array(mornings).cast(pa.timestamp("us", tz="UTC"))


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd")


if __name__ == "__main__":
    main()
