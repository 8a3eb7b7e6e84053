"""The docs name what the code has, all of it and nothing else."""

import ast
import dataclasses
import inspect
import re
import tomllib
from pathlib import Path

import click
import pytest

from app import errors, plugin
from app.cli import main
from app.errors import ServiceError
from app.http import document_of
from app.http.refresh import RefreshSchema
from app.service import Worker

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
RECORDS = sorted((DOCS / "decisions").glob("*.md"))
MODULES = [*sorted((ROOT / "app").rglob("*.py")), *sorted((ROOT / "plugins").rglob("*.py"))]
PARTS = ["## Question", "## Decided", "## Not decided for", "## We would think again if"]
CATALOGUE_ENTRY = "/api/v1/datasets/{name}"
LONGEST_RECORD, LONGEST_README, LONGEST_PLUGIN = 40, 60, 20


def named(path):
    return path.relative_to(ROOT).as_posix()


def page(name):
    return (REFERENCE / f"{name}.md").read_text()


def headings(text, level):
    return re.findall(rf"^{'#' * level} (.+)$", without_blocks(text), re.MULTILINE)


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text, heading):
    """Give what stands under a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    rest = text.partition(f"\n{heading}\n")[2]
    assert rest, f"there is no heading {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text, header):
    """Give the names in the first column of the table with that header, if there is one."""
    found = re.search(rf"^\| {header} \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = found[1].splitlines() if found else ()
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def refusals():
    kinds = [each for each in vars(errors).values() if inspect.isclass(each)]
    return {k.slug: k for k in kinds if issubclass(k, ServiceError) and k is not ServiceError}


def test_each_slug_has_a_heading_with_its_status_and_no_other_has():
    text = page("problems")
    assert headings(text, 2) == list(refusals())
    told = {slug: section(text, f"## {slug}").split()[0].strip(".,") for slug in refusals()}
    assert told == {slug: str(kind.status) for slug, kind in refusals().items()}


def test_the_list_of_statuses_has_each_slug_beside_its_status():
    rows = re.findall(
        r"^\| ([0-9, ]+) \| (.*`.*) \|$", section(page("http-api"), "## Errors"), re.M
    )
    told = {slug: status for status, slugs in rows for slug in re.findall(r"`([a-z-]+)`", slugs)}
    assert told.keys() == refusals().keys()
    assert all(str(refusals()[slug].status) in status for slug, status in told.items())


def test_each_name_of_the_contract_is_explained():
    text = page("plugin-contract")
    assert [name for name in plugin.__all__ if not re.search(rf"`{name}\b", text)] == []


def test_each_hook_stands_there_with_its_exact_signature_and_no_other():
    hooks = {n: f for n, f in vars(plugin.PluginHooks).items() if hasattr(f, "assay_spec")}
    signatures = [
        name + re.sub(r"[\w.]+\.(?=\w)", "", str(inspect.signature(hook))).replace("self, ", "")
        for name, hook in hooks.items()
    ]
    text = section(page("plugin-contract"), "## Hooks")
    assert [heading.strip("`") for heading in headings(text, 3)] == signatures


@pytest.mark.parametrize("kind", [plugin.Endpoint, plugin.Parameter, plugin.Member, plugin.Query])
def test_each_field_of_the_contract_is_explained_and_no_other(kind):
    told = table(section(page("plugin-contract"), f"## `{kind.__name__}`"), "field")
    assert told == [field.name for field in dataclasses.fields(kind)]


def test_the_version_of_the_contract_is_told():
    assert f"`CONTRACT_VERSION`, which is {plugin.CONTRACT_VERSION}." in page("plugin-contract")


def commands(group=main, above=""):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} ")
        else:
            yield f"{above}{name}", command


def test_each_command_has_a_heading_and_no_other_has():
    told = headings(page("command-line"), 2)
    assert sorted(told) == sorted([*dict(commands()), "Other programs"])


@pytest.mark.parametrize(("name", "command"), [*commands()], ids=dict(commands()))
def test_each_option_of_a_command_is_explained_and_no_other(name, command):
    text = section(page("command-line"), f"## {name}")
    options = [each.opts[0] for each in command.params if isinstance(each, click.Option)]
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    assert table(text, "option") == options
    assert [each.name for each in arguments if each.name.upper() not in text] == []


@pytest.fixture
def app(settings, registry_file, refresh):
    assert refresh().status == "succeeded"
    worker = Worker(settings)
    return worker.app_for(worker.current.pin())


def of_any_dataset(path):
    """Give the path of a generic endpoint as it is for every dataset."""
    return re.sub("/datasets/[a-z_]+/(?!openapi)", "/datasets/{name}/", path)


def test_each_route_is_listed_and_no_other(app):
    routes = {
        method + " " + of_any_dataset(re.sub("<(?:text:)?([a-z_]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert sorted(table(page("http-api"), "route")) == sorted(routes)


def test_each_route_of_the_api_has_a_heading(app):
    told = " ".join(headings(page("http-api"), 3))
    paths = document_of(app)["paths"]
    routes = {f"{method.upper()} {of_any_dataset(path)}" for path, item in paths.items()
              for method in item if method != "parameters"}  # fmt: skip
    assert [route for route in sorted(routes) if f"`{route}`" not in told] == []


def own_parameters(document, path, item):
    """Give the names of a route's parameters, but for those that are told in one place for all.

    These are columns, the conditions on them, and what every endpoint takes.
    """
    names = []
    for each in [*item.get("parameters", ()), *item.get("get", {}).get("parameters", ())]:
        reference = each.get("$ref", "").rpartition("/")[2]
        known = document["components"]["parameters"][reference] if reference else each
        if not re.match(r"[a-z_]+\.|[a-z_]+-filters$|(generation|bigint)$", reference):
            names.append(known["name"])
    keys = {"item_id", "date"} if path.endswith("/record") else set()
    return [name for name in names if name not in keys]


def test_each_parameter_of_a_route_is_explained_and_no_other(app):
    document = document_of(app)
    own = {
        of_any_dataset(path): own_parameters(document, path, item)
        for path, item in document["paths"].items()
        if not path.startswith(("/health", "/api/v1/data/")) and path != CATALOGUE_ENTRY
    }
    told = {
        path: table(section(page("http-api"), f"### `GET {path}`"), "parameter") for path in own
    }
    assert told == own


def test_each_member_of_the_body_of_a_refresh_is_explained_and_no_other():
    text = section(page("http-api"), "### `POST /api/v1/data/refresh`")
    assert table(text, "member") == list(RefreshSchema().fields)


def test_each_room_stands_on_its_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(each["layers"] for each in contracts["contracts"] if each["id"] == "floors")
    rooms = {room.strip(" ") for layer in layers for room in layer.split("|")}
    rooms = {room for room in rooms if not room.startswith("(")}
    told = re.findall(r"`app/([a-z]+)", "".join(
        line for line in (DOCS / "explanation" / "floors.md").read_text().splitlines()
        if re.match(r"\| \d \|", line)
    ))  # fmt: skip
    assert sorted(told) == sorted(rooms)


def test_the_first_plugin_is_short():
    text = (DOCS / "tutorial" / "first-plugin.md").read_text()
    (block,) = re.findall(r"<!-- write: plugins/.*-->\n```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= LONGEST_PLUGIN


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_has_its_five_parts(record):
    lines = record.read_text().splitlines()
    assert len(lines) <= LONGEST_RECORD
    assert lines[0].startswith(f"# {record.name[:4]} ")
    assert lines[2].startswith("Status: ")
    assert [line for line in lines if line.startswith("## ")] == PARTS


def test_decisions_are_numbered_without_a_gap():
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_readme_is_one_screen_and_has_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= LONGEST_README
    assert re.findall(r"^make \w+", text, re.MULTILINE) == ["make demo", "make test"]


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)\)", (ROOT / "README.md").read_text()))
    pages = {named(each) for each in DOCS.rglob("*.md") if each not in RECORDS}
    assert linked == pages


def test_the_changelog_says_what_is_not_released_yet():
    assert headings((ROOT / "CHANGELOG.md").read_text(), 2)[0] == "[Unreleased]"


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse(module.read_text()))


def anchors(path):
    """Give the anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", without_blocks(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_link_inside_the_docs_leads_somewhere(path):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(path.read_text())):
        place, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (path.parent / place) if place else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []
