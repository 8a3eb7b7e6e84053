"""The pinned files are what ``make lock`` makes of pyproject.toml. Needs no network."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DIRECT = {
    "deployment": {"(pyproject.toml)"},
    "dev": {"(pyproject.toml)", "(pyproject.toml:dev)"},
    "peers": {"(pyproject.toml:peers)"},
}
FILES = {"peers": "tests/benchmarks/requirements.txt"}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def text_of(name):
    return (ROOT / FILES.get(name, f"requirements_{name}.txt")).read_text()


def blocks(name):
    """Give each pin with its lines: ``flask==3.1.3``, its hashes, and who asked for it."""
    return re.split(r"^(?=[a-z0-9])", text_of(name), flags=re.MULTILINE | re.IGNORECASE)[1:]


def pins(name):
    found = {}
    for block in blocks(name):
        pin = Requirement(block.split("\\")[0])
        found.setdefault(canonicalize_name(pin.name), set()).add(str(pin.specifier)[2:])
    return found


def asked_for(name):
    return {
        canonicalize_name(Requirement(block.split("\\")[0]).name)
        for block in blocks(name)
        if any(f"assay-registry {who}\n" in block for who in DIRECT[name])
    }


def wanted(project, name):
    texts = list(project["dependency-groups"].get(name, ()))
    if name != "peers":
        texts += project["project"]["dependencies"]
    return {canonicalize_name(each.name): each for each in map(Requirement, texts)}


@pytest.mark.parametrize("name", ["deployment", "dev", "peers"])
def test_what_is_pinned_is_what_pyproject_asks_for(project, name):
    assert asked_for(name) == set(wanted(project, name)), "run `make lock`"


@pytest.mark.parametrize("name", ["deployment", "dev", "peers"])
def test_each_pin_is_in_its_range(project, name):
    pinned = pins(name)
    for requirement in wanted(project, name).values():
        for version in pinned[canonicalize_name(requirement.name)]:
            assert requirement.specifier.contains(version), f"{requirement}: run `make lock`"


def test_tests_run_on_the_deployed_versions():
    dev = pins("dev")
    assert {name: dev[name] for name in pins("deployment")} == pins("deployment")


def test_deployed_is_duckdb_1_5_and_tested_too_is_2():
    assert {version[:4] for version in pins("deployment")["duckdb"]} == {"1.5."}
    assert {version[:2] for version in pins("duckdb2")["duckdb"]} == {"2."}


@pytest.mark.parametrize("name", ["deployment", "dev", "peers", "duckdb2"])
def test_pins_are_exact_hashed_and_name_no_host(name):
    assert all("--hash=sha256:" in block for block in blocks(name))
    assert all(len(versions) >= 1 and "" not in versions for versions in pins(name).values())
    assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", text_of(name))
