"""Files written to break the reader: each is refused soon, in little memory, with its place."""

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import RegistryError
from app.registry import diagnostics_of, read_registry

HEAD = "version: 1\nsources: {ml: {location: data}}\ndatasets:\n"
BLOCK = """\
  d{}:
    title: Table number {}
    source: ml
    path: fact_{}.parquet
    keys: [item_id, date]
    lineage: {{dataset_id: run, model_version: model_version, generated_at: made}}
    columns:
      forecast: {{type: number, unit: units/day, minimum: 0}}
"""
MIB = 1 << 20
MOST_SECONDS = 1.0
MOST_MEMORY = 200


def aliases(levels=9):
    rows = ["a0: &a0 [x, x]"]
    rows += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(rows)


def merges(levels=7):
    rows = ["a0: &a0 {k: v}"]
    rows += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(rows)


def indented(levels):
    return "".join(f"{' ' * min(n, 900)}a:\n" for n in range(levels))


HOSTILE = {
    "alias bomb": lambda: (aliases(), "anchors are not allowed"),
    "merge bomb": lambda: (merges(), "anchors are not allowed"),
    "alias": lambda: ("version: *x", "aliases are not allowed"),
    "anchor": lambda: ("version: &x 1", "anchors are not allowed"),
    "anchor of a key": lambda: ("&x version: 1", "anchors are not allowed"),
    "self reference": lambda: ("a: &a [*a]", "anchors are not allowed"),
    "merge key": lambda: ("version: 1\n<<: {a: 1}", "merge keys are not allowed"),
    "tag": lambda: ("version: !!int 1", "tags are not allowed"),
    "python tag": lambda: ("version: !!python/object/apply:os.system [id]", "tags are not allowed"),
    "unknown tag": lambda: ("version: !x 1", "tags are not allowed"),
    "undeclared tag": lambda: ("version: !x!y 1", "undefined tag handle"),
    "brackets": lambda: ("a: " + "[" * 60_000, "nested deeper than 20"),
    "braces": lambda: ("{a: " * 15_000, "nested deeper than 20"),
    "nested blocks": lambda: (indented(900), "nested deeper than 20"),
    "nested dashes": lambda: ("a:\n " + "- " * 30_000, "nested deeper than 20"),
    "nested keys": lambda: ("? " * 30_000, "a key must be text"),
    "steep indentation": lambda: ("\n".join(" " * n + "a:" for n in range(1_400)), "deeper than"),
    "duplicates": lambda: (HEAD + "  a: {}\n" * 40_000, "stands twice"),
    "tab": lambda: ("version:\n\t1", "cannot start any token"),
    "tab in a flow": lambda: ("datasets: {\n\ta: 1}\n", "cannot start any token"),
    "latin-1": lambda: (
        "version: 1\ntitle: Größe".encode("latin-1"),
        "byte 20 (0xf6) is not UTF-8",
    ),
    "utf-16": lambda: ("version: 1".encode("utf-16"), "byte 0 (0xff) is not UTF-8"),
    "utf-16 without a mark": lambda: ("version: 1".encode("utf-16-be"), "U+0000 is not allowed"),
    "cut utf-8": lambda: (b"version: 1 # \xe2\x82", "byte 13 (0xe2) is not UTF-8"),
    "nul": lambda: ("version: 1\ndatasets: {}\0", "character U+0000 is not allowed"),
    "escape character": lambda: ("version: \x1b[31m1", "character U+001B is not allowed"),
    "lone carriage returns": lambda: ("version: 1\r" * 9, "character U+000D is not allowed"),
    "line separator": lambda: ("version: 1\u2028datasets: {}", "character U+2028 is not allowed"),
    "bidi": lambda: ("version: 1 # \u202e", "character U+202E is not allowed"),
    "bidi by escape": lambda: ('version: "\\u202e"', "holds a character that is not allowed"),
    "surrogate by escape": lambda: ('version: "\\ud800"', "holds a character that is not allowed"),
    "zero width": lambda: ("ver\u200bsion: 1", "a key holds a character that cannot be seen"),
    "escape out of range": lambda: ('version: "\\Uffffffff"', "not a valid escape"),
    "two documents": lambda: ("version: 1\n---\nversion: 1", "a second document begins here"),
    "directive": lambda: ("# x\n%YAML 1.1\n---\nversion: 1", "directives are not allowed"),
    "directives": lambda: ("%a\n" * 40_000, "directives are not allowed"),
    "huge version": lambda: ("%YAML " + "9" * 5_000 + ".1\n---\n", "directives are not allowed"),
    "12 MB": lambda: ("# " + "x" * 12_000_000, "larger than 1,048,576 bytes"),
    "5,000 digits": lambda: ("version: " + "9" * 5_000, "a number of 5,000 characters"),
    "infinite": lambda: ("version: 1e999", "a number out of range"),
    "open quotes": lambda: ('version: 1\ntitle: "x\n' + "y\n" * 40_000, "unexpected end of stream"),
    "open bracket": lambda: ("version: 1\nkeys: [a\n", "not valid YAML"),
    "list as key": lambda: ("? [a]\n: 1", "a key must be text"),
    "mapping as key": lambda: ("{{a: 1}: 2}", "a key must be text"),
    "null key": lambda: ("version: 1\n~: 2", "a key may not be empty"),
    "no key": lambda: ("? \n: 2", "a key may not be empty"),
    "long line": lambda: ("version: 1 # " + "x" * 900_000, "more than 65,536 characters"),
    "many lines": lambda: ("\n" * (MIB - 1), "more than 50,000 lines"),
    "many words": lambda: ("title: " + "a " * (MIB // 2 - 9), "more than 65,536 characters"),
    "many keys": lambda: ("".join(f"a{n}:\n" for n in range(40_000)), "5,000 keys in one mapping"),
    "many items": lambda: ("a:\n" + "- b\n" * 40_000, "5,000 items in one list"),
    "many datasets": lambda: (
        HEAD + "".join(f"  d{n}: {{a: 1}}\n" for n in range(40_000)),
        "5,000 keys in one mapping",
    ),
    "a list": lambda: ("- a\n" * 40_000, "a mapping with the keys version and datasets is needed"),
    "a text": lambda: ("hello", "a mapping with the keys version and datasets is needed"),
    "empty": lambda: ("", "the file is empty"),
    "only a remark": lambda: ("# nothing", "the file is empty"),
    "only a start": lambda: ("---\n", "the file is empty"),
}

READER = r"""
import json, re, resource, sys, time
from pathlib import Path
from app.errors import RegistryError
from app.registry import read_registry

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    begun = time.process_time()
    try:
        said = str(len(read_registry(path).datasets))
    except RegistryError as error:
        said = error.facts["errors"][0]["message"]
    seconds = time.process_time() - begun
    memory = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024
    print(json.dumps([path.name, said, seconds, memory]))
"""


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_in_a_process(folder):
    """Read the files of a folder one after the other: name, first message, CPU seconds, MiB."""
    root = Path(__file__).parents[2]
    # Measuring coverage would cost more than the reading whose time is measured.
    environment = {key: each for key, each in os.environ.items() if not key.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder)],
        capture_output=True,
        check=True,
        cwd=root,
        text=True,
        env={**environment, "PYTHONPATH": str(root)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_its_place(name, tmp_path):
    content, said = HOSTILE[name]()
    path = write(tmp_path / "hostile.yaml", content)
    with pytest.raises(RegistryError) as caught:
        read_registry(path)
    found = diagnostics_of(caught.value)
    assert any(said in str(each) for each in found), [str(each) for each in found]
    assert all(str(each).startswith(f"hostile.yaml:{each.line}:{each.column}") for each in found)


def test_no_hostile_file_takes_a_second_or_much_memory(tmp_path):
    for name, make in HOSTILE.items():
        write(tmp_path / name, make()[0])
    read = read_in_a_process(tmp_path)
    assert len(read) == len(HOSTILE) >= 40
    assert [each for each in read if each[2] > MOST_SECONDS or each[3] > MOST_MEMORY] == []


def test_a_registry_of_one_mebibyte_is_read_within_ten_seconds(tmp_path):
    blocks, size = [HEAD], len(HEAD)
    while size + len(block := BLOCK.format(*[len(blocks)] * 3)) <= MIB:
        blocks.append(block)
        size += len(block)
    write(tmp_path / "large.yaml", "".join(blocks))
    ((_, datasets, seconds, memory),) = read_in_a_process(tmp_path)
    assert int(datasets) == len(blocks) - 1
    assert seconds < 10
    assert memory < MOST_MEMORY


def test_a_mebibyte_of_values_is_refused_within_ten_seconds(tmp_path):
    rows = "".join(f"a{n}: [{'bbb,' * 4_999}b]\n" for n in range(45))
    write(tmp_path / "dense.yaml", rows)
    ((_, said, seconds, memory),) = read_in_a_process(tmp_path)
    assert said == "more than 200,000 values"
    assert seconds < 10
    assert memory < MOST_MEMORY


def test_a_place_counts_characters_and_not_bytes(tmp_path):
    path = write(tmp_path / "datasets.yaml", "a: 1\nä: ".encode() + b"\xff")
    with pytest.raises(RegistryError) as caught:
        read_registry(path)
    (found,) = diagnostics_of(caught.value)
    assert (found.line, found.column) == (2, 4)


def test_a_place_after_a_byte_order_mark_is_the_one_an_editor_shows(tmp_path):
    path = write(tmp_path / "datasets.yaml", codecs.BOM_UTF8 + b"a\xff")
    with pytest.raises(RegistryError) as caught:
        read_registry(path)
    (found,) = diagnostics_of(caught.value)
    assert (found.line, found.column, found.message[:6]) == (1, 2, "byte 4")


def missing(path):
    return path


def folder(path):
    path.mkdir()
    return path


def pipe(path):
    os.mkfifo(path)
    return path


def name_with_a_nul(path):
    return path.with_name("a\0b")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, "there is no such file"),
        (folder, "cannot be read: Is a directory"),
        (pipe, "this is not a regular file"),
        (name_with_a_nul, "not a valid file name"),
    ],
)
def test_what_is_no_readable_file_is_refused(make, said, tmp_path):
    path = make(tmp_path / "datasets.yaml")
    with pytest.raises(RegistryError) as caught:
        read_registry(path)
    (found,) = diagnostics_of(caught.value)
    assert (found.line, found.column) == (1, 1)
    assert said in found.message
    assert str(tmp_path) not in json.dumps(caught.value.facts)
