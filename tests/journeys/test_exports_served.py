"""Exports from real workers over real sockets: the usual tools, long files, and what goes wrong."""

import hashlib
import http.client
import io
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pytest

ROWS = "/api/v1/datasets/forecasts/rows"
DAYS = 1_000
MEGABYTE = 1 << 20


def many_rows(items):
    """Columns of forecasts: so many items, a thousand days each."""
    count = items * DAYS
    first = date(2024, 1, 1)
    days = pa.array([first + timedelta(day) for day in range(DAYS)], pa.date32())
    figures = np.random.default_rng(7).random(count).round(6)
    stamp = pa.scalar(datetime(2026, 1, 5, 3, tzinfo=UTC), pa.timestamp("us", tz="UTC"))
    return {
        "item_id": pa.array(np.repeat([f"I-{item:05}" for item in range(items)], DAYS)),
        "date": pa.concat_arrays([days] * items),
        "forecast": pa.array(figures),
        "actual": pa.array(np.where(figures < 0.9, figures, np.nan), from_pandas=True),
        "source": pa.repeat("seasonal", count),
        "model_version": pa.repeat("v1", count),
        "dataset_id": pa.repeat("run-1", count),
        "generated_at": pa.repeat(stamp, count),
    }


@pytest.fixture
def long_table(registry_file, write_table, refresh):
    """Makes a Generation with so many items, a thousand days each."""

    def make(items):
        write_table("fact_forecast", many_rows(items))
        assert refresh().status == "succeeded"

    return make


def fetched(url, **headers):
    with urlopen(Request(url, headers=headers)) as answer:
        return answer.read(), answer.headers


def refused(url):
    with pytest.raises(HTTPError) as told:
        fetched(url)
    told.value.close()
    return told.value.code, told.value.headers


def workers(server):
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [each for each in children if "spawn_main" in " ".join(each.cmdline())]


def test_the_usual_tools_read_the_same_rows(server, long_table, tmp_path):
    long_table(30)
    url = f"{server().url}{ROWS}"
    whole = pl.read_ndjson(io.BytesIO(fetched(f"{url}.ndjson")[0]))
    total = whole["forecast"].sum()
    assert len(whole) == 30 * DAYS
    assert pd.read_csv(f"{url}.csv")["forecast"].sum() == pytest.approx(total)
    assert pd.read_parquet(f"{url}.parquet")["forecast"].sum() == pytest.approx(total)
    assert pd.read_json(f"{url}.ndjson", lines=True)["actual"].count() == whole["actual"].count()
    scanned = pl.scan_parquet(f"{url}.parquet").filter(pl.col("item_id") == "I-00007")
    assert scanned.select(pl.len()).collect().item() == DAYS
    with pa.ipc.open_stream(fetched(f"{url}.arrows")[0]) as reader:
        assert reader.read_all().num_rows == 30 * DAYS
    read = pa.csv.read_csv(io.BytesIO(fetched(f"{url}.csv")[0]))
    assert read.schema.field("generated_at").type == pa.timestamp("s", tz="UTC")
    for form in ("csv", "parquet", "ndjson"):
        path = tmp_path / f"rows.{form}"
        path.write_bytes(fetched(f"{url}.{form}")[0])
        (found,) = duckdb.sql(f"SELECT sum(forecast) FROM '{path}'").fetchall()[0]  # noqa: S608
        assert found == pytest.approx(total)


def test_a_download_goes_on_where_it_was_cut(server, long_table):
    long_table(30)
    url = f"{server().url}{ROWS}.csv"
    whole, headers = fetched(url)
    first, _ = fetched(url, Range="bytes=0-999999")
    rest, told = fetched(url, Range="bytes=1000000-", **{"If-Range": headers["ETag"]})
    assert first + rest == whole
    assert told["Content-Range"] == f"bytes 1000000-{len(whole) - 1}/{len(whole)}"


def test_two_workers_and_many_clients_share_one_file(server, long_table, settings):
    long_table(30)
    url = f"{server().url}{ROWS}.parquet"
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: fetched(url), range(24)))
    assert len({hashlib.sha256(body).digest() for body, _ in answers}) == 1
    assert len({headers["ETag"] for _, headers in answers}) == 1
    assert len(list((settings.state / "spool").iterdir())) == 1


def test_an_export_over_the_room_is_refused_and_leaves_nothing(server, long_table, settings):
    long_table(30)
    url = server(spool_bytes=MEGABYTE).url
    status, _ = refused(f"{url}{ROWS}.csv")
    assert status == 507
    assert list((settings.state / "spool").iterdir()) == []
    assert len(fetched(f"{url}{ROWS}.csv?limit=1000")[0]) > 1_000


def test_an_export_over_the_time_is_refused_and_leaves_nothing(server, long_table, settings):
    long_table(2_500)
    url = server(export_seconds=1).url
    status, headers = refused(f"{url}{ROWS}.json?sort=actual,forecast")
    assert (status, bool(headers["Retry-After"])) == (503, True)
    assert list((settings.state / "spool").iterdir()) == []


def test_a_worker_that_is_killed_leaves_nothing_that_looks_whole(server, long_table, settings):
    long_table(600)
    running = server(workers=1)
    url = f"{running.url}{ROWS}.json"
    with ThreadPoolExecutor(1) as threads:
        cut = threads.submit(fetched, url)
        spool = settings.state / "spool"
        until_true(lambda: any(path.suffix == ".part" for path in spool.iterdir()))
        os.kill(workers(running)[0].pid, signal.SIGKILL)
        with pytest.raises((OSError, http.client.HTTPException)):
            cut.result(60)
    assert not [path for path in spool.iterdir() if path.suffix != ".part"]
    until_true(lambda: ready(running.url))
    body, headers = fetched(url)
    assert int(headers["Content-Length"]) == len(body)
    assert [path.suffix for path in spool.iterdir()] == [""]


def ready(url):
    with suppress(OSError), urlopen(f"{url}/health/ready", timeout=5) as answer:
        return answer.status == 200
    return False


def until_true(holds):
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_client_that_goes_away_costs_nothing(server, long_table, settings):
    long_table(100)
    running = server(workers=1)
    fetched(f"{running.url}{ROWS}.json")
    (worker,) = workers(running)
    before = worker.num_fds()
    for _ in range(20):
        connection = http.client.HTTPConnection(urlsplit(running.url).netloc)
        connection.request("GET", f"{ROWS}.json")
        assert connection.getresponse().read(1_000)
        connection.close()
    until_true(lambda: worker.num_fds() <= before + 2)
    assert len(fetched(f"{running.url}{ROWS}.csv?limit=3")[0].splitlines()) == 4


def test_a_file_that_is_cut_while_it_is_sent_never_looks_whole(server, long_table, settings):
    long_table(100)
    url = server().url
    fetched(f"{url}{ROWS}.json")
    with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
        connection.request("GET", f"{ROWS}.json")
        answer = connection.getresponse()
        (path,) = (settings.state / "spool").iterdir()
        os.truncate(path, 2 * MEGABYTE)
        with pytest.raises((OSError, http.client.HTTPException)):
            answer.read()


def test_a_long_export_takes_little_memory_while_it_is_made_and_sent(server, long_table, soak):
    long_table(5_700 if soak else 600)
    # How long a busy machine takes is not what is looked at.
    running = server(workers=1, spool_bytes=4 << 30, query_seconds=100)
    (worker,) = workers(running)
    # The engine keeps what it has read of a Table, up to its own limit: let it read all of it.
    figures = ",".join(f"count_distinct:{name}" for name in many_rows(1))
    fetched(f"{running.url}/api/v1/datasets/forecasts/aggregate?measures={figures}")
    fetched(f"{running.url}{ROWS}.json?limit=50000")
    before = worker.memory_full_info().pss
    most, ended = [before], threading.Event()

    def watch():
        while not ended.wait(0.02):
            most.append(worker.memory_full_info().pss)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(watch)
        length = [downloaded(f"{running.url}{ROWS}.json") for _ in range(2)]
        ended.set()
    assert length[0] == length[1] > (10**9 if soak else 10**8)
    assert max(most) - before < 50 * MEGABYTE


def downloaded(url):
    with urlopen(url) as answer:
        return sum(len(piece) for piece in iter(lambda: answer.read(MEGABYTE), b""))
