"""Answers as files: made once by whoever comes first, within bounds, whole or not at all."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from errno import ENOSPC
from multiprocessing import get_context

import orjson
import pytest

from app.answers import Identity, Pieces, Spool
from app.errors import ExportTooLargeError, NoRoomError

ONE = Identity(7, "GET /rows.csv", "", "fresh")
OTHERS = [replace(ONE, query=str(number)) for number in range(9)]
ROOMY = 1 << 30


def writing(content):
    def write(sink):
        sink.write(content)
        return {"rows": len(content)}

    return write


def fail(_):
    raise RuntimeError("made again")


def body(answered):
    spooled, _ = answered
    pieces = Pieces(spooled, 0, spooled.length)
    content = b"".join(pieces)
    pieces.close()
    return content


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_answer_is_made_once_and_then_read_by_every_worker_and_the_next_one(tmp_path):
    first, outcome = Spool(tmp_path, ROOMY).answer(ONE, writing(b"abc"))
    assert outcome == "made"
    assert (first.length, first.told, body((first, outcome))) == (3, {"rows": 3}, b"abc")
    again, outcome = Spool(tmp_path, ROOMY).answer(ONE, fail)
    assert (again.edition, again.told, outcome) == (first.edition, first.told, "kept")
    assert body((again, outcome)) == b"abc"
    assert names(tmp_path) == [ONE.file]


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 5_000_001])
def test_a_body_of_any_length_comes_back_whole_and_in_part(tmp_path, size):
    content = os.urandom(size)
    spooled, _ = Spool(tmp_path, ROOMY).answer(ONE, writing(content))
    part = Pieces(spooled, size // 3, size // 2)
    assert (b"".join(part), len(part)) == (content[size // 3 : size // 2], size // 2 - size // 3)
    assert body((spooled, _)) == content


def test_sixteen_who_ask_at_once_get_what_one_made(tmp_path):
    made, spools = [], [Spool(tmp_path, ROOMY) for _ in range(16)]

    def write(sink):
        made.append(1)
        time.sleep(0.05)
        return writing(b"abc")(sink)

    with ThreadPoolExecutor(16) as threads:
        bodies = list(threads.map(lambda spool: body(spool.answer(ONE, write)), spools))
    assert (bodies, made) == ([b"abc"] * 16, [1])


def test_a_failure_leaves_nothing_and_the_next_one_tries(tmp_path):
    def write(sink):
        sink.write(bytes(1_000_000))
        raise KeyError("here")

    with pytest.raises(KeyError):
        Spool(tmp_path, ROOMY).answer(ONE, write)
    assert names(tmp_path) == []
    assert body(Spool(tmp_path, ROOMY).answer(ONE, writing(b"abc"))) == b"abc"


def make_for_ever(folder, begun):
    def write(sink):
        sink.write(bytes(1_000_000))
        begun.set()
        time.sleep(60)

    Spool(folder, ROOMY).answer(ONE, write)


def test_a_maker_that_is_killed_leaves_nothing_that_looks_whole_and_nobody_waits(tmp_path):
    context = get_context("spawn")
    begun = context.Event()
    maker = context.Process(target=make_for_ever, args=(tmp_path, begun))
    maker.start()
    assert begun.wait(30)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(Spool(tmp_path, ROOMY).answer, ONE, writing(b"abc"))
        time.sleep(0.1)
        assert not waiting.done()
        os.kill(maker.pid, signal.SIGKILL)
        assert body(waiting.result(30)) == b"abc"
    maker.join()
    assert names(tmp_path) == [ONE.file]


def test_what_is_least_recently_used_goes_first(tmp_path):
    spool = Spool(tmp_path, 10_000)
    for each in OTHERS[:3]:
        spool.answer(each, writing(bytes(2_500)))[0].file.close()
        time.sleep(0.01)
    spool.answer(OTHERS[0], fail)[0].file.close()
    time.sleep(0.01)
    spool.answer(OTHERS[3], writing(bytes(4_000)))[0].file.close()
    assert names(tmp_path) == sorted(OTHERS[kept].file for kept in (0, 2, 3))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000


@pytest.mark.parametrize("limit", [0, 9_999])
def test_an_answer_that_alone_is_too_large_is_refused_and_leaves_nothing(tmp_path, limit):
    with pytest.raises(ExportTooLargeError):
        Spool(tmp_path, limit).answer(ONE, writing(bytes(10_000)))
    assert names(tmp_path) == []


def test_an_answer_that_is_too_large_beside_one_that_is_being_made_is_refused(tmp_path):
    spool, go_on, begun = Spool(tmp_path, 10_000), threading.Event(), threading.Event()

    def slow(sink):
        sink.write(bytes(6_000))
        sink.flush()
        begun.set()
        assert go_on.wait(10)
        return {}

    with ThreadPoolExecutor(1) as threads:
        making = threads.submit(spool.answer, ONE, slow)
        assert begun.wait(10)
        with pytest.raises(ExportTooLargeError):
            spool.answer(OTHERS[0], writing(bytes(6_000)))
        go_on.set()
        assert body(making.result(10)) == bytes(6_000)
    assert names(tmp_path) == [ONE.file]


def test_rests_of_the_dead_make_room(tmp_path):
    (tmp_path / "6-dead.part").write_bytes(bytes(9_000))
    assert body(Spool(tmp_path, 10_000).answer(ONE, writing(bytes(5_000)))) == bytes(5_000)
    assert names(tmp_path) == [ONE.file]


def test_what_goes_while_somebody_reads_it_stays_readable(tmp_path):
    spool = Spool(tmp_path, 10_000)
    first = spool.answer(ONE, writing(bytes(9_000)))
    spool.answer(OTHERS[0], writing(bytes(9_000)))[0].file.close()
    assert names(tmp_path) == [OTHERS[0].file]
    assert body(first) == bytes(9_000)


def test_what_is_made_again_is_another_edition(tmp_path):
    spool = Spool(tmp_path, ROOMY)
    first = spool.answer(ONE, writing(b"abc"))[0]
    (tmp_path / ONE.file).unlink()
    again = spool.answer(ONE, writing(b"abc"))[0]
    assert first.edition != again.edition
    assert len(again.edition) == 32


def test_a_file_of_the_version_before_is_made_again(tmp_path):
    Spool(tmp_path, ROOMY).answer(ONE, writing(b"abc"))[0].file.close()
    whole = (tmp_path / ONE.file).read_bytes()
    facts = {**orjson.loads(whole[3:-8]), "sha256": "ba78"}
    del facts["edition"]
    tail = orjson.dumps(facts)
    (tmp_path / ONE.file).write_bytes(b"abc" + tail + len(tail).to_bytes(8))
    spooled, outcome = Spool(tmp_path, ROOMY).answer(ONE, writing(b"abcd"))
    assert (body((spooled, outcome)), outcome) == (b"abcd", "made")


@pytest.mark.parametrize("spoilt", [b"", b"abc", bytes(100), b"\xff" * 100])
def test_a_file_that_is_not_whole_is_made_again(tmp_path, spoilt):
    (tmp_path / ONE.file).write_bytes(spoilt)
    assert body(Spool(tmp_path, ROOMY).answer(ONE, writing(b"abc"))) == b"abc"


def test_a_file_that_is_cut_under_its_reader_never_looks_whole(tmp_path):
    spooled, _ = Spool(tmp_path, ROOMY).answer(ONE, writing(bytes(1_000_000)))
    os.truncate(tmp_path / ONE.file, 500_000)
    pieces = Pieces(spooled, 0, spooled.length)
    with pytest.raises(EOFError):
        list(pieces)
    pieces.close()


def test_a_full_disk_is_told_as_one(tmp_path):
    def full(_):
        raise OSError(ENOSPC, "full")

    with pytest.raises(NoRoomError):
        Spool(tmp_path, ROOMY).answer(ONE, full)
    assert names(tmp_path) == []
