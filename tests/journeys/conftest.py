"""What the journeys share: services that live longer than one test, rows by hand, log events."""

import io
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from werkzeug.test import Client

from app.generation import Store
from app.logs import configure_logs
from app.refresh import Jobs, Request, build_waiting
from app.service import make_front
from app.settings import Settings, read_settings
from tests.conftest import (
    REGISTRY,
    ROOT,
    forecast_columns,
    inventory_columns,
    item_columns,
    key_headers,
)

STAMP = datetime(2026, 1, 5, 3, tzinfo=UTC)
UTC_TIME = pa.timestamp("us", tz="UTC")


def settings_in(folder: Path) -> Settings:
    """Give settings of a service that lives in ``folder``."""
    return read_settings(
        {
            "ASSAY_REGISTRY": str(folder / "datasets.yaml"),
            "ASSAY_STATE": str(folder / "state"),
            "ASSAY_PLUGINS": str(ROOT / "plugins"),
            # Many tests come to it with wrong credentials, all from one address.
            "ASSAY_GUESSES_PER_MINUTE": "0",
        }
    )


def write_all(folder: Path, tables: dict) -> None:
    """Write a registry and its tables into ``folder``; ``tables`` go before the usual ones."""
    usual = {
        "dim_items": item_columns(),
        "fact_forecast": forecast_columns(),
        "fact_inventory": inventory_columns(),
    }
    (folder / "gold").mkdir()
    for name, columns in {**usual, **tables}.items():
        pq.write_table(pa.table(dict(columns)), folder / "gold" / f"{name}.parquet")
    (folder / "datasets.yaml").write_text(REGISTRY)


def refreshed(settings: Settings) -> None:
    """Make the next Generation in this process."""
    store = Store.at(settings.state)
    Jobs(store).submit(Request(by="test"))
    job = build_waiting(settings)
    assert job is not None
    assert job.status == "succeeded", job.problem


@pytest.fixture(scope="module")
def module_settings(tmp_path_factory) -> Settings:
    """Settings of one service on the usual tables, for all tests of a module."""
    folder = tmp_path_factory.mktemp("module")
    write_all(folder, {})
    return settings_in(folder)


@pytest.fixture(scope="module")
def dashboard_settings(module_settings) -> Settings:
    """Settings of a service that has a Generation, which no test may change."""
    refreshed(module_settings)
    return module_settings


@pytest.fixture(scope="module")
def dashboard(dashboard_settings) -> Client:
    """A client of that service."""
    return Client(make_front(dashboard_settings))


@pytest.fixture(scope="module")
def dashboard_admin(dashboard_settings) -> dict[str, str]:
    """The headers of a caller of that service with scope admin."""
    return key_headers(dashboard_settings, "admin")


@pytest.fixture(autouse=True)
def events():
    """The events that are logged during the test; they are not printed."""
    with structlog.testing.capture_logs() as told:
        yield told


@pytest.fixture
def logged():
    """What is logged while the test runs; to be asked for before any client."""
    stream = io.StringIO()
    configure_logs("debug", stream)
    return stream


@pytest.fixture
def reader(settings) -> dict[str, str]:
    """The headers of a caller with scope read."""
    return key_headers(settings, "read")


def forecast_rows(*rows, **changes) -> dict:
    """Give columns of forecasts from ``(item, day of January, forecast, actual)``."""
    count = len(rows)
    columns = {
        "item_id": pa.array([row[0] for row in rows]),
        "date": pa.array([date(2026, 1, 1) + timedelta(row[1] - 1) for row in rows], pa.date32()),
        "forecast": pa.array([row[2] for row in rows], pa.float64()),
        "actual": pa.array([row[3] for row in rows], pa.float64()),
        "source": ["seasonal"] * count,
        "model_version": ["v1"] * count,
        "dataset_id": ["run-1"] * count,
        "generated_at": pa.array([STAMP] * count, UTC_TIME),
    }
    return {**columns, **changes}


def items_named(*ids, **changes) -> dict:
    """Give columns of items with these ids."""
    columns = {
        "item_id": pa.array(list(ids)),
        "name": pa.array([f"Name of {each}" for each in ids]),
        "category": ["parts"] * len(ids),
        "sku": [f"S-{number}" for number, _ in enumerate(ids)],
        "dataset_id": ["dim-1"] * len(ids),
        "updated_at": pa.array([STAMP] * len(ids), UTC_TIME),
    }
    return {**columns, **changes}


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Give the first truth that ``condition`` tells."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told = condition()
        if told:
            return told
        time.sleep(0.005)
    raise AssertionError("it did not come about")


def builders(settings: Settings) -> list[psutil.Process]:
    """Give the builder processes of this state directory."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("ASSAY_STATE") == str(settings.state)
            if ours and process.cmdline()[1:] == ["-m", "app.refresh"]:
                found.append(process)
        except psutil.Error:
            continue
    return found
