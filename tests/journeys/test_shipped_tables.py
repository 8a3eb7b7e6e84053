"""Tables that others ship, declared by YAML alone: airports and the weather of Seattle."""

import csv
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
import vega_datasets
from werkzeug.test import Client

from app.service import make_front

DATA = files(vega_datasets) / "_data"
REGISTRY = """\
version: 1
sources:
  gold: {location: gold}
datasets:
  airports:
    title: Airports of the United States
    source: gold
    path: airports.parquet
    keys: [iata]
    lineage: &no
  weather:
    source: gold
    path: weather.parquet
    keys: [date]
    time: date
    lineage: &no
""".replace(
    " &no",
    "\n      dataset_id: {value: vega-0.9}\n      model_version: {value: none}\n"
    "      generated_at: {value: 2020-01-01T00:00:00Z}",
)


@pytest.fixture
def shipped(gold, write_table, settings, refresh):
    """A client of a service with both tables."""
    assert gold.exists()
    text = pa.csv.ConvertOptions(column_types={"iata": pa.string()})
    airports = pa.csv.read_csv(str(DATA / "airports.csv"), convert_options=text)
    weather = pa.csv.read_csv(str(DATA / "seattle-weather.csv"))
    day = pc.strptime(weather["date"], format="%Y/%m/%d", unit="s").cast(pa.date32())
    write_table("airports", dict(zip(airports.column_names, airports.columns, strict=True)))
    columns = dict(zip(weather.column_names, weather.columns, strict=True))
    write_table("weather", {**columns, "date": day})
    settings.registry.write_text(REGISTRY)
    assert refresh().status == "succeeded"
    return Client(make_front(settings))


def rows_of(name):
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_airport_is_found_by_its_code_and_by_its_name(shipped):
    own = "/api/v1/datasets/airports"
    airports = rows_of("airports.csv")
    for airport in airports[::97]:
        found = shipped.get(f"{own}/record", query_string={"iata": airport["iata"]}).json["data"]
        assert found["name"] == airport["name"]
        asked = {"name": airport["name"], "state": airport["state"], "limit": 1000}
        same = shipped.get(f"{own}/rows", query_string=asked).json["data"]
        assert airport["iata"] in [each["iata"] for each in same]
    assert shipped.get(f"{own}/rows?limit=1&count=true").json["total"] == len(airports)


def test_the_rain_of_each_year_is_that_of_its_days(shipped):
    years = {}
    for day in rows_of("seattle-weather.csv"):
        years.setdefault(day["date"][:4], []).append(float(day["precipitation"]))
    answer = shipped.get(
        "/api/v1/datasets/weather/aggregate?window=year&measures=sum:precipitation,median:precipitation,count"
    )
    found = {row["window"][:4]: row for row in answer.json["data"]}
    assert found.keys() == years.keys()
    for year, rain in years.items():
        assert found[year]["sum_precipitation"] == pytest.approx(sum(rain))
        assert found[year]["count"] == len(rain)


def test_a_chart_of_four_years_keeps_its_shape_in_fifty_points(shipped):
    series = shipped.get("/api/v1/datasets/weather/series?value=temp_max&points=50").json
    assert len(series["time"]) == len(series["values"]["temp_max"]) == 50
    hottest = max(float(day["temp_max"]) for day in rows_of("seattle-weather.csv"))
    assert hottest - max(series["values"]["temp_max"]) < 3
    assert (series["time"][0], series["time"][-1]) == ("2012-01-01", "2015-12-31")
