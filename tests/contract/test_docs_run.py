"""The docs are executed: each block of each page, in order, on the demo data.

``python`` blocks are run, ``yaml`` blocks are read by the real reader, ``http`` blocks are sent
and their answers compared, ``javascript`` is run by node where there is one, and ``sh`` blocks
that begin with ``curl`` or the command line are run too. ``…`` stands for what is left out.
``<!-- write: path -->`` before a block makes it that file, and the service starts anew.
"""

import json
import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from app.cli import main
from app.registry import read_registry

ROOT = Path(__file__).parents[2]
RUN = re.compile("^```(python|javascript|sh|yaml|http)$", re.MULTILINE)
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if RUN.search(path.read_text())
]
STATUS = re.compile(r"^HTTP/1\.1 (?=\d)", re.MULTILINE)
WRITE = re.compile(r"<!-- write: (\S+) -->\s*\Z")
COMMAND = ".venv/bin/python -m app "
LEFT_OUT = "…"


def run_python(site, example):
    source = "\n" * example.line + site.addressed(str(example.parsed))
    exec(compile(source, example.path, "exec"), example.namespace)  # noqa: S102 - our own pages


def run_javascript(site, example):
    if shutil.which("node") is not None:
        site.run(["node", "--input-type=module", "-"], site.addressed(str(example.parsed)))


def run_sh(site, example):
    text = str(example.parsed)
    if text.startswith(COMMAND):
        run_commands(site, text)
    elif text.startswith("curl ") and shutil.which("curl") is not None:
        keys = f"KEY={site.key}\nASSAY_KEY=$KEY\n"
        site.run(["bash", "-euo", "pipefail"], keys + site.addressed(text))


def run_commands(site, text):
    """Run the command line in this process: starting one for each would take seconds."""
    for line in text.replace("\\\n", " ").splitlines():
        arguments = shlex.split(line.removeprefix(COMMAND), comments=True)
        if line.startswith(COMMAND) and arguments[0] not in {"serve", "demo"}:
            ran = CliRunner(env=site.settings.environment()).invoke(main, arguments)
            assert ran.exit_code == 0, f"{line}\n{ran.output}"


def read_yaml(site, example):
    """Read a whole file; or a part that comes into the shipped one, and stays there.

    A part takes the place of its first line, or goes to the end where there is no such line.
    """
    region, shipped = example.region, site.folder / "datasets.yaml"
    # Sybil takes the indentation off, which says where the part belongs.
    fenced = example.document.text[region.start : region.end].splitlines(keepends=True)
    text = "".join(fenced[1:-1])
    path = site.folder / "read.yaml" if re.search("^version:", text, re.M) else shipped
    if path == shipped:
        first, before = text.splitlines(keepends=True)[0], shipped.read_text()
        text = before.replace(first, text) if first in before else before + text
    path.write_text(text)
    assert read_registry(path).datasets


def send_http(site, example):
    asked, shown = STATUS.split(str(example.parsed), maxsplit=1)
    head, _, body = asked.strip().partition("\n\n")
    first, *lines = head.splitlines()
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    if "If-None-Match" in headers:
        headers["If-None-Match"] = site.told["etag"]
    headers = {name: text.replace("$KEY", site.key) for name, text in headers.items()}
    path = path.replace("job_…", site.told.get("job_id", ""))
    answer = site.client.open(path, method=method, headers=headers, data=body or None)
    site.told["etag"] = answer.headers.get("ETag", "")
    if answer.is_json and isinstance(answer.json, dict) and "job_id" in answer.json:
        site.told["job_id"] = answer.json["job_id"]
    compare_answer(answer, shown)


def compare_answer(answer, shown):
    head, _, body = shown.partition("\n\n")
    status, *lines = head.splitlines()
    assert answer.status.lower().startswith(status.strip().lower()), answer.text
    for line in lines:
        name, text = line.split(": ", 1)
        assert matches(text, answer.headers.get(name)), f"{name}: {answer.headers.get(name)}"
    if body.strip():
        assert matches(read_shown(body), json.loads(answer.data)), answer.text


def read_shown(text):
    """Read JSON in which … stands for values, for elements, or for other members."""
    parts, open_, before = [], [], ""
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|…|[^"…\s]|\s+', text):
        is_member = part == LEFT_OUT and before != ":" and open_[-1] == "{"
        given = json.dumps(LEFT_OUT) if part == LEFT_OUT else part
        parts.append(f"{given}: {given}" if is_member else given)
        if part in "{[":
            open_.append(part)
        elif part in "}]":
            open_.pop()
        before = before if part.isspace() else part
    return json.loads("".join(parts))


def matches(shown, found):
    """Tell whether what is found is what is shown; sums of floats may differ in the last digits."""
    if isinstance(shown, str) and LEFT_OUT in shown:
        return shown == LEFT_OUT or (
            isinstance(found, str)
            and re.fullmatch(".*".join(map(re.escape, shown.split(LEFT_OUT))), found) is not None
        )
    if isinstance(shown, dict) and isinstance(found, dict):
        named = {name: value for name, value in shown.items() if name != LEFT_OUT}
        same = named.keys() <= found.keys() if LEFT_OUT in shown else named.keys() == found.keys()
        return same and all(matches(value, found[name]) for name, value in named.items())
    if isinstance(shown, list) and isinstance(found, list):
        if LEFT_OUT not in shown:
            return len(shown) == len(found) and all(map(matches, shown, found))
        at = shown.index(LEFT_OUT)
        first, last = shown[:at], shown[at + 1 :]
        rest = found[len(found) - len(last) :]
        return (
            len(first) + len(last) <= len(found)
            and all(map(matches, first, found))
            and all(map(matches, last, rest))
        )
    if isinstance(shown, float) and isinstance(found, float):
        return math.isclose(shown, found, rel_tol=1e-9)
    return shown == found and type(shown) is type(found)


def evaluator(site, run):
    def evaluate(example):
        given = WRITE.search(example.document.text[: example.region.start])
        if given is None:
            run(site, example)
            return
        (site.folder / given[1]).write_text(str(example.parsed))
        site.stop()

    return evaluate


LANGUAGES = {
    "python": run_python,
    "javascript": run_javascript,
    "sh": run_sh,
    "yaml": read_yaml,
    "http": send_http,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_do_what_it_says(page, site):
    parsers = [CodeBlockParser(name, evaluator(site, run)) for name, run in LANGUAGES.items()]
    for example in Sybil(parsers).parse(page).examples():
        example.evaluate()


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ('{"a": 1}', {"a": 1, "b": 2}),
        ('{"a": 2, …}', {"a": 1, "b": 2}),
        ('{"a": …}', {"b": 1}),
        ("[1, …]", [2, 1]),
        ("[…, 1]", [1, 2]),
        ("[1, …, 2]", [1]),
        ('"a…c"', "abd"),
        ("1.5", 1.51),
        ("1", True),
        ("null", 0),
    ],
)
def test_an_answer_that_differs_from_the_one_shown_is_noticed(shown, found):
    assert not matches(read_shown(shown), found)


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ('{"a": […], …}', {"a": [1, 2], "b": 2}),
        ('{"a": …}', {"a": {"b": 1}}),
        ("[1, …, 3]", [1, 2, 3]),
        ('"job_…"', "job_17"),
        ("49.727", 49.727000000000004),
    ],
)
def test_what_is_left_out_may_be_anything(shown, found):
    assert matches(read_shown(shown), found)
