"""Ever new questions: they take no more memory than they may, and push out nothing that is used."""

import sys
import threading
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest

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
    (worker,) = [
        each
        for each in psutil.Process(running.process.pid).children()
        if "spawn_main" in " ".join(each.cmdline())
    ]
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
    third = len(sizes) // 3
    least, most = max(sizes[:third]), max(sizes[-third:])
    sys.stdout.write(
        f"\n{count} addresses: {least / 1e6:.0f} MB in the first third, {most / 1e6:.0f} MB in the"
        f" last; {len(missed)} of {len(sizes) * len(HOT)} hot ones made again\n"
    )
    # What was made is kept for a minute: then it is asked for once more.
    assert len(missed) <= len(sizes) * len(HOT) / 100 + 2 * len(HOT)
    assert most - least < 2 * cache_bytes + 10 * MEGABYTE
