"""Running Statements: many threads, limits, and a queue that refuses."""

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from os import urandom
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from app.dataset import Column
from app.engine import DuckEngine, Queue
from app.engine.duck import connect
from app.errors import BusyError
from app.query import Measure, Query, Statement, Where, compile_query


def statement(sql):
    return Statement(sql, (), (Column("a"),), figures=True)


def asking(figure):
    """A Statement for one figure, with the lineage of no row."""
    return statement(f"SELECT {figure}, NULL, NULL")


NOON = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - as the engine gives it: UTC without zone


def test_eight_threads_get_their_own_rows_each_time(bench):
    loaded = bench.load({"k": list(range(1_000)), "text": [f"row {n}" for n in range(1_000)]})
    engine = bench.engine(loaded)

    def wrong(thread):
        asked = range(thread * 100, thread * 100 + 200)
        questions = (Query(loaded[0], ["text"], [Where("k", "eq", n % 1_000)]) for n in asked)
        rows = [engine.run(compile_query(question)).cells for question in questions]
        return [n for n, row in zip(asked, rows, strict=True) if row != [(f"row {n % 1_000}",)]]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(wrong, range(8))) == [[]] * 8


def test_several_tables_are_attached_each_under_its_dataset(bench):
    first = bench.load({"k": [1]}, dataset=bench.dataset("first"))
    second = bench.load({"k": [2, 3]}, dataset=bench.dataset("second"))
    twin = bench.load({"k": [1]}, dataset=bench.dataset("twin"))
    assert first[1].hash == twin[1].hash
    engine = bench.engine(first, second, twin)
    cells = [engine.run(compile_query(Query(each[0]))).cells for each in (first, second, twin)]
    assert cells == [[(1,)], [(2,), (3,)], [(1,)]]


def test_an_engine_without_tables_runs(bench):
    assert bench.engine().run(asking("1")).cells == [(1,)]


def test_a_table_file_that_is_gone_is_told_by_its_name_alone(bench, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        DuckEngine({"sales": tmp_path / "abc.duckdb"}, bench.limits, Queue(1, 1))
    assert caught.value.args == ("abc.duckdb",)


def test_a_damaged_table_file_gives_no_wrong_row(bench, tmp_path):
    _, table = loaded = bench.load({"k": [urandom(16).hex() for _ in range(20_000)]})
    path = tmp_path / f"{table.hash}.duckdb"
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    for place in range(40_000, len(content), 4_096):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises((duckdb.Error, FileNotFoundError)):
        bench.engine(loaded).run(compile_query(Query(loaded[0])))


def test_an_unlinked_table_stays_readable_to_who_has_it_open(bench, tmp_path):
    _, table = loaded = bench.load({"k": list(range(300_000))})
    engine = bench.engine(loaded)
    (tmp_path / f"{table.hash}.duckdb").unlink()
    rows = engine.run(compile_query(Query(loaded[0], measures=[Measure("total", "sum", ("k",))])))
    assert rows.first() == {"total": 299_999 * 150_000}


def test_a_table_file_is_ours_to_read_only(bench, tmp_path):
    _, table = bench.load({"k": [1]})
    assert (tmp_path / f"{table.hash}.duckdb").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("zone", ["Europe/Vienna", "America/New_York"])
def test_every_cursor_is_in_utc_wherever_the_host_is(bench, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    stamp = pa.array([datetime(2026, 7, 1, 12, tzinfo=UTC)], pa.timestamp("us", tz=zone))
    loaded = bench.load({"k": [1], "at": stamp})
    assert loaded[1].columns[1].max == "2026-07-01T12:00:00Z"
    engine = bench.engine(loaded)
    assert engine.run(compile_query(Query(loaded[0], ["at"]))).cells == [(NOON,)]
    assert engine.run(asking("current_setting('TimeZone')")).cells == [("UTC",)]


def test_an_instance_keeps_to_its_limits(bench, tmp_path):
    connection = connect(bench.limits)
    names = ("threads", "memory_limit", "temp_directory")
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    (settings,) = connection.execute(f"SELECT {asked}").fetchall()
    assert settings[:2] == (2, "256.0 MiB")
    (others,) = connect(bench.limits).execute(f"SELECT {asked}").fetchall()
    # Two that spill into one folder remove each other's files.
    assert Path(settings[2]).parent == Path(others[2]).parent == tmp_path / "spill"
    assert settings[2] != others[2]


def test_more_than_run_and_wait_are_refused_and_room_comes_back(bench):
    queue = Queue(running=1, waiting=1)
    engine = bench.engine(queue=queue)
    with ThreadPoolExecutor(2) as threads:
        with queue.turn():
            asked = [threads.submit(engine.run, asking("1")) for _ in range(2)]
            ((refused,), (waiting,)) = wait(asked, return_when=FIRST_COMPLETED)
        assert waiting.result().cells == [(1,)]
    with pytest.raises(BusyError) as caught:
        refused.result()
    assert caught.value.headers == {"Retry-After": "1"}
    assert engine.run(asking("2")).cells == [(2,)]


def test_a_statement_that_fails_gives_its_turn_back(bench):
    engine = bench.engine(queue=Queue(running=1, waiting=0))
    for _ in range(3):
        with pytest.raises(duckdb.Error):
            engine.run(asking("nonsense"))
    assert engine.run(asking("1")).cells == [(1,)]


def test_a_turn_that_does_not_come_in_time_is_refused(monkeypatch):
    monkeypatch.setattr("app.engine.queue._LONGEST_WAIT_SECONDS", 0.01)
    queue = Queue(running=1, waiting=5)
    with queue.turn(), pytest.raises(BusyError, match="take too long"), queue.turn():
        pass
    with queue.turn():
        pass


def test_who_waits_longest_has_the_next_turn():
    queue, order = Queue(running=1, waiting=20), []

    def ask(name):
        with queue.turn():
            order.append(name)

    with ThreadPoolExecutor(3) as threads:
        with queue.turn():
            for name in "abc":
                threads.submit(ask, name)
                time.sleep(0.05)
        # Who has just had a turn is at the end of the line, however quickly it comes back.
        ask("again")
    assert order == ["a", "b", "c", "again"]


def test_an_engine_answers_although_all_turns_are_taken(bench):
    queue = Queue(running=1, waiting=0)
    engine = bench.engine(queue=queue)
    with queue.turn():
        assert engine.answers()
