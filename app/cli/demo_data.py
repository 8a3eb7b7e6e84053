"""Writes the demo's gold tables: invented telecom parts. Same seed, same bytes; reads no clock."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import concat_arrays as joined

START = date(2024, 1, 1)
FUTURE_DAYS, SNAPSHOTS = 60, 26
TIMESTAMP = pa.timestamp("us", tz="UTC")
SOURCES = ("seasonal", "intermittent")
WEEKEND = (5, 6)
SLOW_SHARE = 0.2
DELIVERED_SHARE = 0.6
NOT_FORECASTED = 7  # of every fifty parts

# category: short code, height of its yearly peak, day of that peak
CATEGORIES = {
    "Antennas": ("ANT", 0.25, 172),
    "Batteries": ("BAT", 0.35, 20),
    "Connectors": ("CON", 0.10, 150),
    "Cables": ("CAB", 0.20, 160),
    "Fibre": ("FIB", 0.20, 190),
    "Optics": ("OPT", 0.08, 300),
    "Power": ("PWR", 0.22, 200),
    "Radio units": ("RRU", 0.12, 120),
    "Tower hardware": ("TWR", 0.30, 165),
    "Cooling": ("COL", 0.45, 195),
}
# category: six kinds, nine variants of each
CATALOGUE = {
    "Antennas": (
        "Sector antenna, Omni antenna, Panel antenna, Yagi antenna, GPS antenna, Indoor antenna",
        "700 MHz, 800 MHz, 900 MHz, 1800 MHz, 2100 MHz, 2.6 GHz, 3.5 GHz, dual band, tri band",
    ),
    "Batteries": (
        "VRLA battery, Lithium module, Gel battery, Backup battery, Battery string, UPS battery",
        "50 Ah, 60 Ah, 75 Ah, 90 Ah, 100 Ah, 125 Ah, 150 Ah, 170 Ah, 190 Ah",
    ),
    "Connectors": (
        "7/16 DIN connector, 4.3-10 connector, N connector, SMA adapter, RJ45 plug, LC connector",
        "male, female, male angled, female angled, bulkhead, sealed, crimp, clamp, pack of 10",
    ),
    "Cables": (
        "RF jumper, Feeder cable, Power cable, CAT6A cable, Alarm cable, Earth cable",
        "0.5 m, 1 m, 2 m, 3 m, 5 m, 10 m, 20 m, 50 m, 100 m drum",
    ),
    "Fibre": (
        "LC-LC patch cord, SC-LC patch cord, Pigtail, Hybrid cable, Splice closure, Drop cable",
        "OS2 1 m, OS2 3 m, OS2 10 m, OS2 50 m, OM4 1 m, OM4 3 m, OM4 10 m, 12 core, 24 core",
    ),
    "Optics": (
        "SFP module, SFP+ module, SFP28 module, QSFP28 module, BiDi module, CWDM module",
        "100 m, 2 km, 10 km, 20 km, 40 km, 60 km, 80 km, industrial, extended range",
    ),
    "Power": (
        "Rectifier, DC converter, Surge arrester, Circuit breaker, Power shelf, Solar regulator",
        "10 A, 16 A, 25 A, 32 A, 63 A, 100 A, 1 kW, 2 kW, 3 kW",
    ),
    "Radio units": (
        "Remote radio unit, Radio module, Baseband card, Duplexer, Tower amplifier, RF filter",
        "700 MHz, 800 MHz, 900 MHz, 1800 MHz, 2100 MHz, 2.6 GHz, 3.5 GHz, 3.7 GHz, 26 GHz",
    ),
    "Tower hardware": (
        "Mounting bracket, Pole clamp, Cable hanger, Climbing rail, Earth bar, Obstruction light",
        "60 mm, 76 mm, 89 mm, 114 mm, 139 mm, galvanised, stainless, heavy duty, spare kit",
    ),
    "Cooling": (
        "Fan tray, Air filter, Cabinet cooler, Heat exchanger, Thermostat, Door gasket",
        "48 V DC, 230 V AC, 120 mm, 172 mm, 225 mm, indoor, outdoor, low noise, service kit",
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One invented spare part; ``daily`` is its mean demand in units a day."""

    item_id: str
    name: str
    category: str
    sku: str
    daily: float
    trend: float
    source: str
    forecasted: bool


def write_demo_data(  # noqa: PLR0913 - the size of the demo is four numbers, each with a default
    folder: Path,
    *,
    items: int = 500,
    days: int = 730,
    seed: int = 7,
    progress: Callable[[str, int], None] | None = None,
) -> list[Path]:
    """Write ``dim_items``, ``fact_forecast`` and ``fact_inventory`` as Parquet files.

    Days count from 2024-01-01; the last 60 are future and have no actual. Each file
    appears whole or not at all. ``progress`` is told each table's name and its rows.

    Raises:
        ValueError: ``days`` leaves no past, or there are no items.
    """
    if items < 1 or days <= FUTURE_DAYS:
        raise ValueError(f"The demo needs at least 1 item and {FUTURE_DAYS + 1} days.")
    draw = random.Random(seed)  # noqa: S311 - invented data, not a secret
    parts = [_part(index, draw) for index in range(items)]
    dates = [START + timedelta(days=day) for day in range(days)]
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "dim_items": _items(parts, dates[:-FUTURE_DAYS], draw),
        "fact_forecast": _forecasts(parts, dates, draw),
        "fact_inventory": _inventory(parts, dates[:-FUTURE_DAYS], draw),
    }
    written = []
    for name, table in tables.items():
        written.append(_write(table, folder / f"{name}.parquet"))
        if progress is not None:
            progress(name, table.num_rows)
    return written


def _write(table: pa.Table, path: Path) -> Path:
    unfinished = path.with_name(f".{path.name}.unfinished")
    pq.write_table(table, unfinished, compression="zstd")
    return unfinished.replace(path)


def _part(index: int, draw: random.Random) -> Part:
    category = list(CATALOGUE)[index % len(CATALOGUE)]
    code, _, _ = CATEGORIES[category]
    kinds, variants = CATALOGUE[category]
    number = index // len(CATALOGUE)
    names = [f"{kind} {variant}" for variant in variants.split(", ") for kind in kinds.split(", ")]
    mark = number // len(names)
    slow = draw.random() < SLOW_SHARE
    return Part(
        item_id=f"I-{index + 1:04d}",
        name=names[number % len(names)] + (f" Mk {mark + 1}" if mark else ""),
        category=category,
        sku=f"{code}-{number + 1:04d}-{draw.randrange(100):02d}",
        daily=0.05 + 0.4 * draw.random() if slow else math.exp(4 * draw.random()) / 1.5,
        trend=0.4 * draw.random() - 0.15,
        source=SOURCES[slow],
        forecasted=index % 50 != NOT_FORECASTED,
    )


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(5), tzinfo=UTC)


def _items(parts: list[Part], past: list[date], draw: random.Random) -> pa.Table:
    recent = past[-400:]
    return pa.table(
        {
            "item_id": [part.item_id for part in parts],
            "name": [part.name for part in parts],
            "category": [part.category for part in parts],
            "sku": [part.sku for part in parts],
            "dataset_id": [f"items-{past[-1]:%Y-%m}"] * len(parts),
            "updated_at": pa.array([_morning(draw.choice(recent)) for _ in parts], TIMESTAMP),
        }
    )


def _forecasts(parts: list[Part], dates: list[date], draw: random.Random) -> pa.Table:
    """Give one row per forecasted part and day; models are trained on the first of each month."""
    last_run = dates[-FUTURE_DAYS - 1].replace(day=1)
    runs = [min(day.replace(day=1), last_run) for day in dates]
    change = dates[len(dates) * 2 // 5]
    versions = {
        source: pa.array([f"{source}-{'1.0' if day < change else '1.1'}" for day in dates])
        for source in SOURCES
    }
    known = [part for part in parts if part.forecasted]
    demand = [list(_demand(part, dates)) for part in known]
    count = len(known)
    return pa.table(
        {
            "item_id": joined([pa.repeat(part.item_id, len(dates)) for part in known]),
            "date": joined([pa.array(dates, pa.date32())] * count),
            "forecast": joined([pa.array(each) for each in demand]),
            "actual": joined([_actuals(each, draw) for each in demand]),
            "source": joined([pa.repeat(part.source, len(dates)) for part in known]),
            "model_version": joined([versions[part.source] for part in known]),
            "dataset_id": joined([pa.array([f"forecast-{run:%Y-%m}" for run in runs])] * count),
            "generated_at": joined([pa.array([_morning(run) for run in runs], TIMESTAMP)] * count),
        }
    )


def _demand(part: Part, dates: list[date]) -> Iterator[float]:
    """Give the expected units of each day: trend, yearly peak, quiet weekends."""
    _, height, peak = CATEGORIES[part.category]
    year = 2 * math.pi / 365.25
    for number, day in enumerate(dates):
        season = 1 + height * math.cos(year * (number - peak))
        weekend = 0.35 if day.weekday() in WEEKEND else 1.0
        yield round(part.daily * season * weekend * (1 + part.trend * number / 365.25), 3)


def _actuals(demand: list[float], draw: random.Random) -> pa.Array:
    """Give whole units scattered around the forecast; null where the day is still to come."""
    past = [
        math.floor(each * (0.5 + draw.random()) + draw.random()) for each in demand[:-FUTURE_DAYS]
    ]
    return pa.array([*past, *[None] * FUTURE_DAYS], pa.float64())


def _inventory(parts: list[Part], past: list[date], draw: random.Random) -> pa.Table:
    """Give one snapshot a week, the newest on the last past day."""
    snapshots = past[::-7][:SNAPSHOTS][::-1]
    levels = [list(_levels(part, len(snapshots), draw)) for part in parts]
    count = len(parts)
    return pa.table(
        {
            "item_id": joined([pa.repeat(part.item_id, len(snapshots)) for part in parts]),
            "date": joined([pa.array(snapshots, pa.date32())] * count),
            **{
                name: joined([pa.array([row[at] for row in each], pa.int64()) for each in levels])
                for at, name in enumerate(("current_stock", "reorder_point", "safety_stock"))
            },
            "last_updated": joined(
                [pa.array([_morning(day) for day in snapshots], TIMESTAMP)] * count
            ),
            "dataset_id": joined(
                [pa.array([f"stock-{day:%Y-%m-%d}" for day in snapshots])] * count
            ),
        }
    )


def _levels(part: Part, weeks: int, draw: random.Random) -> Iterator[tuple[int, int, int]]:
    """Give stock, reorder point and safety stock a week; a short part waits for delivery."""
    safety = math.ceil(part.daily * 7)
    reorder = safety + math.ceil(part.daily * 14)
    stock = reorder + draw.randrange(2 * reorder + 1)
    for _ in range(weeks):
        yield stock, reorder, safety
        if stock < reorder and draw.random() < DELIVERED_SHARE:
            stock += 2 * reorder
        stock = max(0, stock - math.floor(part.daily * 7 * (0.5 + draw.random()) + draw.random()))
