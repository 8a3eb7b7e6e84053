"""Ever new questions: they take no more memory than they may, and push out nothing that is used."""

import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.conftest import forecast_columns
from tests.journeys.test_endurance import refreshed
from tests.journeys.test_exports_served import workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SERIES = "/api/v1/items/A/timeseries?start=2026-01-01&end=2026-01-{day:02}"
HOT = [SERIES.format(day=day) for day in range(1, 10)]
MEGABYTE = 1 << 20


def asked(connection, address):
    connection.request("GET", address)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return answer.headers["Server-Timing"]


@pytest.mark.usefixtures("registry_file")
def test_a_flood_of_other_addresses_leaves_what_is_used_where_it_is(server, refresh, soak):
    assert refresh().status == "succeeded"
    # As many as fill the cache several times over.
    count, cache_bytes = (100_000, 16 * MEGABYTE) if soak else (4_000, MEGABYTE)
    running = server(workers=1, cache_bytes=cache_bytes)
    at = urlsplit(running.url).netloc
    (worker,) = workers(running)
    ended, missed = threading.Event(), []

    def flood(part):
        with closing(HTTPConnection(at)) as connection:
            for number in range(part, count, 4):
                asked(connection, f"/api/v1/items?q={number:020}")

    with closing(HTTPConnection(at)) as connection:
        for address in HOT:
            asked(connection, address)
        threads = [threading.Thread(target=flood, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        sizes = []
        while any(thread.is_alive() for thread in threads):
            missed += [address for address in HOT if asked(connection, address) != "kept"]
            sizes.append(worker.memory_full_info().pss)
            ended.wait(0.05)
        for thread in threads:
            thread.join()
    # The first third starts threads, and fills what is kept.
    third = len(sizes) // 3
    least, most = max(sizes[third : 2 * third]), max(sizes[-third:])
    sys.stdout.write(
        f"\n{count} addresses: {least / 1e6:.0f} MB in the second third, {most / 1e6:.0f} MB in the"
        f" last; {len(missed)} of {len(sizes) * len(HOT)} hot ones made again\n"
    )
    # What was made is kept for a minute: then it is asked for once more.
    assert len(missed) <= len(sizes) * len(HOT) / 100 + 2 * len(HOT)
    assert most - least < 2 * cache_bytes + 10 * MEGABYTE


ROWS = "/api/v1/datasets/forecasts"
# Each is another address for each number, but for those that ask again for what is kept.
KINDS = [
    (SERIES.format(day=5), {}, {200}),
    (SERIES.format(day=6), {"Accept-Encoding": "zstd"}, {200}),
    ("/api/v1/items?q={n:020}", {}, {200}),
    (ROWS + "/rows?forecast__gt=0.{n}", {}, {200}),
    (
        ROWS + "/rows?sort=-forecast&forecast__lt=9{n}&count=true",
        {"Accept-Encoding": "gzip"},
        {200},
    ),
    (ROWS + "/rows?limit=5&generation=1&forecast__gt=0.{n}", {}, {200}),
    (ROWS + "/aggregate?group_by=item_id&measures=median:forecast&actual__gt=0.{n}", {}, {200}),
    (ROWS + "/compare?with=generation:1&limit={n}", {}, {200, 400, 503}),
    (ROWS + "/rows.csv?forecast__gt=0.{n}", {}, {200, 503}),
    (ROWS + "/rows.parquet?forecast__gt=0.{n}", {"Range": "bytes=0-99"}, {206, 503}),
    (ROWS + "/rows.json", {"If-None-Match": "*"}, {304}),
    (SERIES.format(day=5), {"If-None-Match": "*"}, {304}),
    (ROWS + "/rows?forecastt=0.{n}", {}, {400}),
    ("/api/v1/datasets/no{n}", {}, {404}),
    ("/api/v1/items", {"X-API-Key": "assay_{n}"}, {401}),
]
LEVEL = 5


def read_round(at, numbers):
    """Ask for each number of each kind, on a connection of its own for some; count the answers."""
    seen = Counter()
    for number in numbers:
        with closing(HTTPConnection(at)) as connection:
            for address, headers, expected in KINDS:
                told = {name: value.format(n=number) for name, value in headers.items()}
                connection.request("GET", address.format(n=number), headers=told)
                answer = connection.getresponse()
                said = answer.read()
                assert answer.status in expected, (address, said[:300])
                seen[answer.status] += 1
    return seen


@pytest.mark.usefixtures("registry_file")
def test_reading_leaves_nothing_behind_in_a_worker(server, admin, write_table, refresh, soak):
    assert refresh().status == "succeeded"
    rounds, each = (24, 100) if soak else (15, 12)
    limits = {"cache_bytes": MEGABYTE, "spool_bytes": 16 * MEGABYTE, "guesses_per_minute": 0}
    running = server(workers=1, **limits)
    at, (worker,) = urlsplit(running.url).netloc, workers(running)
    seen, used = Counter(), []
    with ThreadPoolExecutor(4) as threads:
        for number in range(rounds):
            first = 1 + number * each
            parts = [range(first + part, first + each, 4) for part in range(4)]
            for counted in threads.map(lambda part: read_round(at, part), parts):
                seen += counted
            used.append((worker.memory_full_info().pss, worker.num_fds(), worker.num_threads()))
            # Both Generations are read before and after, and others come and go.
            if number in {rounds // 3, rounds // 2}:
                write_table("fact_forecast", forecast_columns(factor=1.0 + number))
                assert refreshed(int(at.rpartition(":")[2]), admin)["status"] == "succeeded"
    # As it is with refreshes: what leaks, grows past the most of the beginning and stays.
    most = [max(column) for column in zip(*used[:LEVEL], strict=True)]
    least = [min(column) for column in zip(*used[-LEVEL:], strict=True)]
    sys.stdout.write(
        f"\n{sum(seen.values())} reads {dict(seen)}; (PSS, descriptors, threads): most of the first"
        f" {LEVEL} rounds {most}, least of the last {least}\n"
    )
    assert least[0] <= most[0] + (16 if soak else 10) * MEGABYTE
    assert least[1] <= most[1] + 3
    assert least[2] <= most[2] + 2
