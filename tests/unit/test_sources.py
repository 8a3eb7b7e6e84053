"""Finding source files: real files, real traps."""

import json
import os
import socket
from pathlib import Path

import pytest

from app.dataset import Dataset, Lineage, Source
from app.errors import SourceError
from app.refresh.copying import copy_files
from app.refresh.sources import SourceFile, find_files

SECRET = b"bytes from outside"


@pytest.fixture
def gold(tmp_path):
    folder = tmp_path / "gold"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.parquet").write_bytes(SECRET)
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


def found(source, path):
    return [file.path for file in find_files(source, dataset(path))]


def ignore(count):
    pass


def test_one_file_is_found_with_what_the_system_says_of_it(source, gold):
    write(gold, "a.parquet")
    (file,) = find_files(source, dataset("a.parquet"))
    seen = (gold / "a.parquet").stat()
    assert file == SourceFile(
        "a.parquet", seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
    )


def test_a_source_file_survives_being_written_down(source, gold):
    write(gold, "a.parquet")
    (file,) = find_files(source, dataset("a.parquet"))
    assert SourceFile.from_fact(file.as_fact()) == file


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("*.parquet", ["a.parquet", "b.parquet"]),
        ("?.parquet", ["a.parquet", "b.parquet"]),
        ("[!a].parquet", ["b.parquet"]),
        ("*/c.parquet", ["day=1/c.parquet", "x/c.parquet"]),
        ("day=[0-9]/*.parquet", ["day=1/c.parquet"]),
        ("x/**/*.parquet", ["x/c.parquet", "x/y/z/d.parquet"]),
        ("**/d.parquet", ["x/y/z/d.parquet"]),
        (
            "**/**/*.parquet",
            ["a.parquet", "b.parquet", "day=1/c.parquet", "x/c.parquet", "x/y/z/d.parquet"],
        ),
        (".hidden/*", [".hidden/e.parquet"]),
    ],
)
def test_a_glob_gives_each_match_once_in_order(source, gold, path, expected):
    write(gold, "b.parquet", "a.parquet", "x/c.parquet", "x/y/z/d.parquet", "day=1/c.parquet")
    write(gold, "note.txt", ".f.parquet", ".hidden/e.parquet")
    assert found(source, path) == expected


def test_the_location_itself_may_be_a_symlink(gold, tmp_path):
    write(gold, "a.parquet")
    (tmp_path / "link").symlink_to(gold)
    assert found(Source("ml_results", tmp_path / "link"), "*.parquet") == ["a.parquet"]


def test_a_hard_link_is_a_file_like_any_other(source, gold, tmp_path):
    (gold / "a.parquet").hardlink_to(tmp_path / "outside" / "secret.parquet")
    assert found(source, "a.parquet") == ["a.parquet"]


def test_a_thousand_files_are_allowed_and_one_more_is_not(source, gold):
    write(gold, *(f"{number}.parquet" for number in range(1_000)))
    assert len(found(source, "*.parquet")) == 1_000
    write(gold, "one_more.parquet")
    with pytest.raises(SourceError, match="more than 1,000 files"):
        found(source, "*.parquet")


def test_a_stray_symlink_under_a_glob_that_leads_to_no_folder_is_no_match(source, gold):
    write(gold, "x/a.parquet")
    (gold / "stray").symlink_to("nowhere")
    assert found(source, "*/a.parquet") == ["x/a.parquet"]


# Path attacks


def symlink_file(gold, outside):
    (gold / "a.parquet").symlink_to(outside / "secret.parquet")


def symlink_inside(gold, _):
    write(gold, "real.parquet")
    (gold / "a.parquet").symlink_to("real.parquet")


def dangling(gold, _):
    (gold / "a.parquet").symlink_to("nowhere")


def loop(gold, _):
    (gold / "a.parquet").symlink_to("a.parquet")


def symlink_folder(gold, outside):
    (gold / "sub").symlink_to(outside)


def symlink_to_proc(gold, _):
    (gold / "sub").symlink_to("/proc/self")


def symlink_to_device(gold, _):
    (gold / "a.parquet").symlink_to("/dev/zero")


def pipe(gold, _):
    os.mkfifo(gold / "a.parquet")


def folder(gold, _):
    (gold / "a.parquet").mkdir()


def unix_socket(gold, _):
    here = Path.cwd()
    os.chdir(gold)  # The name of a socket must be short.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.parquet")
    os.chdir(here)


def one_file(gold, _):
    write(gold, "a.parquet", "b.parquet/deeper")


def not_utf8(gold, _):
    Path(os.fsdecode(os.fsencode(gold) + b"/\xff.parquet")).touch()


def deep(gold, _):
    write(gold, "/".join(["x"] * 40) + "/a.parquet")


ATTACKS = [
    (one_file, "../outside/secret.parquet"),
    (one_file, "x/../../outside/secret.parquet"),
    (one_file, "*/../../outside/*.parquet"),
    (one_file, ".."),
    (one_file, "/etc/passwd"),
    (one_file, "/proc/self/environ"),
    (one_file, "//etc/passwd"),
    (one_file, "./a.parquet"),
    (one_file, ""),
    (one_file, "a.parquet/"),
    (one_file, "a.parquet/b"),
    (one_file, "a.parquet\0.txt"),
    (one_file, "\ud800.parquet"),
    (one_file, "a" * 300 + ".parquet"),
    (one_file, "a/" * 40 + "a.parquet"),
    (one_file, "none*.parquet"),
    (one_file, "missing.parquet"),
    (one_file, "**"),
    (symlink_file, "a.parquet"),
    (symlink_file, "*.parquet"),
    (symlink_inside, "a.parquet"),
    (dangling, "a.parquet"),
    (dangling, "*.parquet"),
    (loop, "a.parquet"),
    (symlink_folder, "sub/secret.parquet"),
    (symlink_folder, "*/secret.parquet"),
    (symlink_folder, "**/*.parquet"),
    (symlink_to_proc, "sub/environ"),
    (symlink_to_device, "a.parquet"),
    (pipe, "a.parquet"),
    (pipe, "*.parquet"),
    (unix_socket, "a.parquet"),
    (folder, "a.parquet"),
    (folder, "*.parquet"),
    (one_file, "*"),
    (not_utf8, "*.parquet"),
    (deep, "**/*.parquet"),
]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("arrange", "path"), ATTACKS)
def test_a_path_attack_is_refused_without_telling_where_things_are(source, tmp_path, arrange, path):
    arrange(source.location, tmp_path / "outside")
    with pytest.raises(SourceError) as refusal:
        copy_files(source, dataset(path), tmp_path / "copies", ignore)
    told = f"{refusal.value.detail} {refusal.value.facts}"
    json.dumps([told, refusal.value.facts], ensure_ascii=False).encode()
    assert len(told) < 2_000
    assert refusal.value.facts["dataset"] == "forecasts"
    assert refusal.value.facts["found"]
    assert refusal.value.facts["allowed"]
    assert str(tmp_path) not in told
    assert "/etc" not in told
    assert "/proc" not in told
    assert not list(tmp_path.glob("copies/*"))


def test_a_device_is_refused():
    with pytest.raises(SourceError, match="a device at 'zero'"):
        find_files(Source("ml_results", Path("/dev")), dataset("zero"))


def test_a_file_of_proc_is_refused_when_it_holds_more_than_it_says(tmp_path):
    proc = Source("ml_results", Path(f"/proc/{os.getpid()}"))
    with pytest.raises(SourceError):
        copy_files(proc, dataset("status"), tmp_path / "copies", ignore)
    assert not list(tmp_path.glob("copies/*"))


@pytest.mark.parametrize("location", ["missing", "gold/a.parquet", "nul\0"])
def test_a_location_that_is_no_folder_is_refused_without_its_path(gold, tmp_path, location):
    write(gold, "a.parquet")
    with pytest.raises(SourceError, match="a location that is not readable") as refusal:
        find_files(Source("ml_results", tmp_path / location), dataset("a.parquet"))
    assert str(tmp_path) not in f"{refusal.value.detail} {refusal.value.facts}"


@pytest.mark.parametrize(
    ("path", "nearest"),
    [("fact_forcast.parquet", "fact_forecast.parquet"), ("dy=1/a.parquet", "day=1")],
)
def test_a_missing_file_is_answered_with_the_nearest_name(source, gold, path, nearest):
    write(gold, "fact_forecast.parquet", "dim_items.parquet", "day=1/a.parquet")
    with pytest.raises(SourceError, match=f"did you mean '{nearest}'") as refusal:
        find_files(source, dataset(path))
    assert refusal.value.facts["nearest"] == nearest
