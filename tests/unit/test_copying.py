"""Finding source files: real files, real traps."""

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.dataset import Dataset, Lineage, Source
from app.errors import NoRoomError, RefreshError, SourceError
from app.refresh.copying import ATTEMPTS, copy_file, copy_files, room_for
from app.refresh.sources import SourceChangedError, find_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gold(tmp_path):
    folder = tmp_path / "gold"
    folder.mkdir()
    return folder


@pytest.fixture
def source(gold):
    return Source("ml_results", gold)


def dataset(path):
    lineage = Lineage("dataset_id", "model_version", "generated_at")
    return Dataset("forecasts", "ml_results", path, ("id",), lineage)


def write(folder, *names, content=b"PAR1 rows PAR1"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def ignore(count):
    pass


def test_a_copy_has_the_bytes_the_hash_and_a_mode_for_us_alone(source, gold, tmp_path):
    content = os.urandom(3_000_000)
    write(gold, "a.parquet", content=content)
    (file,) = find_files(source, dataset("a.parquet"))
    told = []
    copied = copy_file(source, file, tmp_path / "copy", told.append)
    assert copied == replace(file, sha256=hashlib.sha256(content).hexdigest())
    assert (tmp_path / "copy").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert told == [1 << 20, 1 << 20, 3_000_000 - (2 << 20)]


def test_all_files_are_copied_in_order_under_names_of_our_own(source, gold, tmp_path):
    write(gold, "b.parquet", content=b"b")
    write(gold, "a.parquet", content=b"a")
    copied = copy_files(source, dataset("*.parquet"), tmp_path / "copies", ignore)
    assert [file.path for file in copied] == ["a.parquet", "b.parquet"]
    assert (tmp_path / "copies" / "0000.parquet").read_bytes() == b"a"
    assert (tmp_path / "copies" / "0001.parquet").read_bytes() == b"b"


def rewrite(path):
    path.write_bytes(b"other content.")


def swap(path):
    rewrite(path.with_name("new"))
    path.with_name("new").replace(path)


def same_stamp(path):
    """Write in place, with the same length, and put the old times back."""
    old = path.stat()
    path.write_bytes(b"x" * old.st_size)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def shorten(path):
    os.truncate(path, 5)


def lengthen(path):
    with path.open("ab") as more:
        more.write(b"more")


def remove(path):
    path.unlink()


def to_symlink(path):
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def to_pipe(path):
    path.unlink()
    os.mkfifo(path)


def to_folder(path):
    path.unlink()
    path.mkdir()


def move_folder(path):
    path.parent.rename(path.parent.with_name("moved"))


CHANGES = [
    rewrite, swap, same_stamp, shorten, lengthen, remove, to_symlink, to_pipe, to_folder,
    move_folder,
]  # fmt: skip


@pytest.mark.timeout(10)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("during", [False, True], ids=["before", "during"])
def test_a_file_that_changes_is_never_taken_for_a_whole_copy(source, tmp_path, change, during):
    write(source.location, "sub/a.parquet", content=b"x" * 3_000_000)
    (file,) = find_files(source, dataset("sub/a.parquet"))
    changes = [lambda: change(source.location / "sub" / "a.parquet")]
    if not during:
        changes.pop()()

    def progress(_):
        while changes:
            changes.pop()()

    with pytest.raises(SourceChangedError, match="changed while it was copied"):
        copy_file(source, file, tmp_path / "copy", progress)
    assert not (tmp_path / "copy").exists()


def test_a_copy_is_made_again_when_a_file_changed_once(source, gold, tmp_path):
    write(gold, "a.parquet", "b.parquet", content=b"first")
    told = []

    def progress(count):
        told.append(count)
        if len(told) == 2:
            write(gold, "b.parquet", content=b"second")

    copied = copy_files(source, dataset("*.parquet"), tmp_path / "copies", progress)
    assert copied[1].sha256 == hashlib.sha256(b"second").hexdigest()
    assert (tmp_path / "copies" / "0001.parquet").read_bytes() == b"second"
    assert sum(told) == len(b"first") + len(b"second")


def test_a_file_that_changes_at_each_attempt_is_refused(source, gold, tmp_path):
    write(gold, "a.parquet", "b.parquet")
    told = []

    def progress(count):
        told.append(count)
        if count > 0:
            rewrite(gold / "b.parquet")

    with pytest.raises(SourceChangedError, match="3 attempts") as refusal:
        copy_files(source, dataset("*.parquet"), tmp_path / "copies", progress)
    assert refusal.value.slug == "source-refused"
    assert refusal.value.facts["attempts"] == ATTEMPTS
    assert refusal.value.facts["dataset"] == "forecasts"
    assert sum(told) == 0
    assert not list((tmp_path / "copies").iterdir())


def test_a_writer_beside_us_leaves_one_of_its_versions_or_a_refusal(source, gold, tmp_path):
    versions = [bytes([number]) * 400_000 for number in range(1, 6)]
    write(gold, "a.parquet", content=versions[0])
    over = threading.Event()

    def write_on():
        while not over.is_set():
            for version in versions:
                write(gold, "a.parquet", content=version)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for number in range(50):
            target = tmp_path / f"copies{number}"
            try:
                (copied,) = copy_files(source, dataset("a.parquet"), target, ignore)
            except SourceChangedError:
                continue
            content = (target / "0000.parquet").read_bytes()
            # A writer that truncates first may be met between two writes: whole, but shorter.
            assert len(set(content)) <= 1
            assert copied.sha256 == hashlib.sha256(content).hexdigest()
    finally:
        over.set()
        writer.join()


@contextmanager
def without_rights():
    """Do without the rights of root, which no file mode holds back."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.mark.parametrize(("name", "mode"), [("a.parquet", 0o000), ("", 0o000), ("", 0o444)])
def test_a_file_or_folder_without_permission_is_refused(name, mode):
    with tempfile.TemporaryDirectory() as name_of_folder:
        top = Path(name_of_folder)
        top.chmod(0o777)
        write(top, "gold/a.parquet")
        (top / "gold" / name).chmod(mode)
        source = Source("ml_results", top / "gold")
        with without_rights(), pytest.raises(SourceError, match="Permission denied") as refusal:
            copy_files(source, dataset("a.parquet"), top / "copies", ignore)
        assert refusal.value.facts["dataset"] == "forecasts"
        (top / "gold" / name).chmod(0o700)


def test_room_is_refused_with_both_figures(tmp_path):
    room_for(tmp_path, 1)
    with pytest.raises(NoRoomError) as refusal:
        room_for(tmp_path, 10**18)
    assert refusal.value.facts["bytes_needed"] == 10**18
    assert 0 < refusal.value.facts["bytes_free"] < 10**18


def test_files_that_do_not_fit_are_refused_before_a_byte_is_copied(source, gold, tmp_path):
    write(gold, "a.parquet")
    os.truncate(gold / "a.parquet", 10**13)
    told = []
    with pytest.raises(NoRoomError):
        copy_files(source, dataset("a.parquet"), tmp_path / "copies", told.append)
    assert told == []


LIMITED = """
import resource, sys
from pathlib import Path
from app.dataset import Source
from app.errors import NoRoomError
from app.refresh.copying import copy_file
from app.refresh.sources import SourceFile

resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
file = SourceFile(**{fact!r})
try:
    copy_file(Source("ml_results", Path({gold!r})), file, Path({target!r}), lambda count: None)
except NoRoomError:
    sys.exit(7)
"""


def test_a_disk_that_fills_up_leaves_no_half_copy(source, gold, tmp_path):
    write(gold, "a.parquet", content=b"x" * 3_000_000)
    (file,) = find_files(source, dataset("a.parquet"))
    target = tmp_path / "copy"
    program = LIMITED.format(fact=file.as_fact(), gold=str(gold), target=str(target))
    # S603: the program is the text above.
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert ended.returncode == 7
    assert not target.exists()


def test_a_folder_that_cannot_be_written_is_a_failed_refresh(source, gold, tmp_path):
    write(gold, "a.parquet")
    write(tmp_path, "copies")
    with pytest.raises(RefreshError, match="File exists") as refusal:
        copy_files(source, dataset("a.parquet"), tmp_path / "copies", ignore)
    assert str(tmp_path) not in refusal.value.detail
