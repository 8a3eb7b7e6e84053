"""The audit: whole lines, durable, only ever added to; and nothing is done without one."""

import errno
import json
import stat
import subprocess
import sys
from contextlib import suppress

import pytest

from app.access import new_key
from app.errors import ForbiddenError, InvalidBodyError
from app.generation import Store
from app.refresh import Audit, Jobs, Request
from tests.conftest import ROOT

WRITE = """
import sys
from pathlib import Path
from app.generation import Store
from app.refresh import Audit, Request
audit = Audit(Store.at(Path(sys.argv[1])))
for number in range(100):
    audit.accepted(Request(by=sys.argv[2], datasets=("x" * 500,)), f"job_{number}")
"""
CALL = Request("gold", ("items",), force=True, by="k1", address="10.0.0.9", request_id="r-1")


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "state")


@pytest.fixture
def audit(store):
    return Audit(store)


def lines(store):
    """Give what the audit holds; each line has to be a JSON object."""
    path = store.path / "audit.jsonl"
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_line_says_who_from_where_and_for_what(audit, store):
    audit.accepted(CALL, "job_1")
    (line,) = lines(store)
    assert line.pop("time").endswith("Z")
    assert line == {
        "outcome": "accepted", "by": "k1", "address": "10.0.0.9", "request_id": "r-1",
        "asked": {"source": "gold", "datasets": ["items"], "force": True}, "job_id": "job_1",
    }  # fmt: skip


def test_what_was_not_said_is_not_told(audit, store):
    audit.refused(Request(), ForbiddenError("No."))
    (line,) = lines(store)
    assert {name: line[name] for name in line if name != "time"} == {
        "outcome": "refused", "by": None, "address": None, "request_id": None, "asked": {},
        "problem": "forbidden",
    }  # fmt: skip


def test_the_file_is_the_owners_alone_and_is_added_to(audit, store):
    path = store.path / "audit.jsonl"
    for number in range(3):
        audit.accepted(CALL, f"job_{number}")
        assert len(lines(store)) == number + 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_refusal_and_a_fault_are_written_down_and_go_on(audit, store):
    for error in (InvalidBodyError("No."), ZeroDivisionError()):
        with pytest.raises(type(error)), audit.attempt(CALL):
            raise error
    assert [line["problem"] for line in lines(store)] == ["invalid-body", "internal-error"]
    with audit.attempt(CALL):
        pass
    assert len(lines(store)) == 2


def test_lines_of_several_processes_stay_whole(store):
    command = [sys.executable, "-c", WRITE, str(store.path)]
    writers = [subprocess.Popen([*command, f"k{number}"], cwd=ROOT) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    told = lines(store)
    assert len(told) == 300
    for number in range(3):
        jobs = [line["job_id"] for line in told if line["by"] == f"k{number}"]
        assert jobs == [f"job_{turn}" for turn in range(100)]


def test_a_file_that_was_renamed_is_left_and_a_new_one_begun(audit, store):
    audit.accepted(CALL, "job_1")
    (store.path / "audit.jsonl").rename(store.path / "audit.jsonl.1")
    audit.accepted(CALL, "job_2")
    assert [line["job_id"] for line in lines(store)] == ["job_2"]
    assert (store.path / "audit.jsonl.1").read_bytes().count(b"\n") == 1


def test_neither_a_line_break_nor_a_secret_gets_into_it(audit, store):
    key, _ = new_key("canary", "read")
    texts = ("a\nb", '"}\n{"outcome":"accepted"', "\x1b[2J", "\u2028", "\ud800", key, "x" * 9_999)
    for text in texts:
        audit.refused(Request(source=text, datasets=(text,), by="k1"), ForbiddenError("No."))
    written = (store.path / "audit.jsonl").read_bytes()
    assert len(lines(store)) == written.count(b"\n") == 7
    assert key.encode() not in written
    assert {line["outcome"] for line in lines(store)} == {"refused"}
    assert max(map(len, written.split(b"\n"))) < 10_000


def test_strangers_cannot_fill_the_disk_and_others_are_heard_on(audit, store):
    with (store.path / "audit.jsonl").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    before = (store.path / "audit.jsonl").stat().st_size
    audit.refused(Request(address="10.0.0.9"), ForbiddenError("No."))
    assert (store.path / "audit.jsonl").stat().st_size == before
    audit.refused(CALL, ForbiddenError("No."))
    assert (store.path / "audit.jsonl").stat().st_size > before


def test_a_link_in_its_place_is_not_followed(audit, store, tmp_path):
    (store.path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        audit.accepted(CALL, "job_1")
    assert not (tmp_path / "elsewhere").exists()


def test_what_cannot_be_written_down_is_not_begun(store):
    (store.path / "audit.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        Jobs(store).submit(CALL)
    assert list(store.jobs.iterdir()) == []


def test_what_cannot_be_written_down_has_not_ended(store):
    jobs = Jobs(store)
    jobs.submit(CALL)
    running = jobs.start()
    (store.path / "audit.jsonl").rename(store.path / "rotated")
    (store.path / "audit.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        jobs.close(running)
    assert Jobs(store).waiting() is None
    (store.path / "audit.jsonl").rmdir()
    # The next one to look closes it: its builder is gone, as the locks tell.
    assert jobs.job(running.job_id).outcome == "interrupted"
    assert [line["outcome"] for line in lines(store)] == ["interrupted"]


@pytest.fixture
def small(tmp_path):
    """A store on a file system of 256 kibibytes."""
    folder = tmp_path / "state"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield Store.at(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_disk_no_line_is_cut(small):
    audit, long = Audit(small), Request(by="k1", datasets=("x" * 700,))

    def fill():
        for number in range(10_000):
            audit.accepted(long, f"job_{number}")

    with pytest.raises(OSError) as told:  # noqa: PT011 - of any text
        fill()
    assert told.value.errno == errno.ENOSPC
    held = lines(small)
    assert (small.path / "audit.jsonl").read_bytes().endswith(b"}\n")
    assert [line["job_id"] for line in held] == [f"job_{turn}" for turn in range(len(held))]
    # A refusal goes out all the same.
    with suppress(ForbiddenError), audit.attempt(CALL):
        raise ForbiddenError("No.")
