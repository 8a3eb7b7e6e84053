"""What all workers have counted: read from files, never less than before, whoever is killed."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import orjson
import pytest

from app.generation import Counts, Store, used_bytes
from app.metrics import Tally
from tests.conftest import ROOT

LIVE = """
import sys, time
from pathlib import Path
from app.generation import Counts, Store
from app.metrics import Tally
tally = Tally()
counts = Counts(Store.at(Path(sys.argv[1])), sys.argv[2], tally, lambda: {"waiting": 3})
for _ in range(int(sys.argv[3])):
    tally.count("GET", (200, 0.5), {})
counts.write()
print("written", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "state")


@pytest.fixture
def counts(store):
    """The counts of a worker that is this very process."""
    return Counts(store, "own", Tally(), lambda: {"waiting": 1})


@pytest.fixture
def other(store):
    """Starts a worker, a process of its own, that has counted so many; kills it afterwards."""
    started = []

    def start(name, count):
        command = [sys.executable, "-c", LIVE, str(store.path), name, str(count)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"written\n"
        return process

    yield start
    for process in started:
        kill(process)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def total(counted):
    return sum(sum(spread[:-1]) for spread in counted.tally.grouped(lambda kind: kind).values())


def count(counts, times):
    for _ in range(times):
        counts.tally.count("GET", (200, 0.5), {})


def test_one_tells_what_all_have_counted(counts, other):
    other("a", 10)
    other("b", 5)
    count(counts, 2)
    counted = counts.read()
    assert (total(counted), counted.workers, counted.gauges) == (17, 3, {"waiting": 7})


def test_of_a_killed_worker_the_counts_stay_and_the_gauges_go(counts, other):
    process = other("a", 10)
    assert total(counts.read()) == 10
    kill(process)
    for _ in range(3):
        counted = counts.read()
        assert (total(counted), counted.workers, counted.gauges) == (10, 1, {"waiting": 1})


def test_files_of_the_dead_become_one(store, counts, other):
    for number in range(2):
        kill(other(f"w{number}", 1))
        counts.read()
    assert total(counts.read()) == 2
    assert {path.name for path in store.workers.iterdir()} == {"own.counts", "dead.tally"}


def test_who_ends_while_the_dead_are_added_up_leaves_nothing_to_be_added_twice(
    store, counts, other
):
    kill(other("a", 10))
    left = (store.workers / "a.counts").read_bytes()
    assert total(counts.read()) == 10
    # As if it had been killed between the writing and the removing.
    (store.workers / "a.counts").write_bytes(left)
    kill(other("b", 1))
    assert total(counts.read()) == 11
    assert total(counts.read()) == 11
    assert not (store.workers / "a.counts").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "0"}', b"\xff" * 100])
def test_a_file_that_is_not_understood_counts_nothing(store, counts, content):
    for name in ("x.counts", "dead.tally"):
        (store.workers / name).write_bytes(content)
    count(counts, 2)
    assert total(counts.read()) == 2


def test_what_another_version_counted_is_left(store, counts, other):
    kill(other("a", 10))
    path = store.workers / "a.counts"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "version": "0.0.0"}))
    assert total(counts.read()) == 0
    assert not path.exists()


@contextmanager
def full(folder):
    """Have no byte left in a folder of its own file system."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - it is how writing ends
    yield
    filler.unlink()


@pytest.fixture
def small(tmp_path):
    """A store on a file system of one mebibyte."""
    folder = tmp_path / "state"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield Store.at(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_makes_counts_late_and_never_less(small):
    one, other = (Counts(small, name, Tally(), dict) for name in ("one", "other"))
    count(one, 10)
    assert total(one.read()) == 10
    with full(small.path):
        for status in range(5_000):
            one.tally.count("GET", (status, 0.5), {})
        assert total(one.read()) == 10
        assert total(other.read()) == 10
    assert total(one.read()) == total(other.read()) == 5_010


def test_what_is_told_never_goes_down_whoever_tells_it(store, other):
    workers = [Counts(store, f"w{number}", Tally(), dict) for number in range(3)]
    stop = threading.Event()

    def work(counts):
        while not stop.wait(0.001):
            count(counts, 50)

    def read(seen):
        # Only a reading that begins when the one before has ended cannot tell less.
        for turn in range(100):
            seen.append(total(workers[turn % 3].read()))

    told = [[], []]
    with ThreadPoolExecutor() as pool:
        for each in workers:
            pool.submit(work, each)
        readers = [pool.submit(read, seen) for seen in told]
        for number in range(2):
            kill(other(f"killed{number}", 100))
        wait(readers)
        stop.set()
    assert told == [sorted(seen) for seen in told]
    assert total(workers[0].read()) >= 200


def test_bytes_are_those_of_the_files(store):
    (store.spool / "1-a").write_bytes(b"x" * 10)
    (store.tables / "a.duckdb").write_bytes(b"x" * 20)
    (store.tables / "a.index").write_bytes(b"x" * 5)
    used = used_bytes(store)
    assert (used["spool"], used["tables"]) == (10, 25)
    free = os.statvfs(store.path)
    assert used["free"] == pytest.approx(free.f_bavail * free.f_frsize, rel=0.5)
