"""What one would write without a service for it: a fresh DuckDB for each request, and pandas.

uvicorn tests.benchmarks.naive:app; GOLD names the folder. Imports nothing of Assay.
"""

import os
from collections.abc import Sequence
from datetime import date

import duckdb
import pandas as pd
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

GOLD = os.environ["GOLD"]
FORECASTS = f"read_parquet('{GOLD}/fact_forecast.parquet')"
INVENTORY = f"read_parquet('{GOLD}/fact_inventory.parquet')"
SUMMARY = """
    sum(forecast) AS total_forecast, sum(actual) AS total_actual,
    100 * avg(abs(forecast - actual) / nullif(abs(actual), 0)) AS mape,
    100 * sum(abs(forecast - actual)) / sum(abs(actual)) AS wape,
    100 * sum(forecast - actual) / sum(actual) AS bias, count(DISTINCT item_id) AS items_count
"""

app = FastAPI()


def found(question: str, values: Sequence[object]) -> pd.DataFrame:
    with duckdb.connect() as connection:
        return connection.execute(question, list(values)).fetchdf()


def records(frame: pd.DataFrame) -> list[dict[str, object]]:
    # NaN has no JSON form.
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/items/{item}/timeseries")
def timeseries(item: int, start: date, end: date) -> list[dict[str, object]]:
    question = (
        "SELECT item_id, date, forecast, actual, source, model_version, generated_at"
        f" FROM {FORECASTS} WHERE item_id = ? AND date BETWEEN ? AND ? ORDER BY date"
    )
    return records(found(question, (item, start, end)))


@app.get("/inventory/{item}")
def inventory(item: int) -> dict[str, object]:
    rows = records(found(f"SELECT * FROM {INVENTORY} WHERE item_id = ?", (item,)))
    if not rows:
        raise HTTPException(404)
    return rows[0]


@app.get("/summary")
def summary(start: date, end: date) -> dict[str, object]:
    question = f"SELECT {SUMMARY} FROM {FORECASTS} WHERE date BETWEEN ? AND ?"
    return records(found(question, (start, end)))[0]


@app.get("/rows")
def rows(least: float, limit: int) -> list[dict[str, object]]:
    question = (
        f"SELECT * FROM {FORECASTS} WHERE source = 'live' AND forecast > ?"
        " ORDER BY forecast DESC, item_id, date LIMIT ?"
    )
    return records(found(question, (least, limit)))


@app.get("/export.csv")
def export_csv(first: int, last: int) -> PlainTextResponse:
    return PlainTextResponse(exported(first, last).to_csv(index=False), media_type="text/csv")


@app.get("/export.json")
def export_json(first: int, last: int) -> list[dict[str, object]]:
    return records(exported(first, last))


def exported(first: int, last: int) -> pd.DataFrame:
    question = f"SELECT * FROM {FORECASTS} WHERE item_id BETWEEN ? AND ?"
    return found(question, (first, last))
