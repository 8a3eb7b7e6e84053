"""The command line: what each command prints, and how it ends."""

import json
import os
import socket
import subprocess
import sys

import pytest
import yaml

from app import __version__
from app.access import read_keys
from app.http import document_of
from app.registry import json_schema
from app.service import Worker
from tests.conftest import ROOT

BROKEN = "version: 2\ndatasets:\n  items: {sauce: gold, path: ../x}\n"


@pytest.fixture
def run(settings):
    """Runs ``python -m app`` with these arguments and variables; gives how it ended."""

    def start(*arguments, **variables):
        return subprocess.run(
            [sys.executable, "-m", "app", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **settings.environment(), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


def ended(process, status):
    assert process.returncode == status, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    return process


def test_a_sound_registry_is_said_to_be_one(run, registry_file):
    assert ended(run("validate"), 0).stdout == "datasets.yaml: 3 datasets, no errors\n"
    assert ended(run("validate", registry_file), 0).stderr == ""
    assert ended(run("validate", "--data"), 0).stdout.endswith("no errors\n")


def test_every_mistake_of_a_registry_is_told_with_its_place(run, registry_file):
    registry_file.write_text(BROKEN)
    lines = ended(run("validate"), 1).stderr.splitlines()
    assert lines[0].startswith("datasets.yaml:1:1  version: ")
    assert len(lines) >= 4
    assert all(line.startswith("datasets.yaml:") for line in lines)
    assert any("'sauce'; did you mean 'source'?" in line for line in lines)


def test_a_registry_that_is_not_there_is_told(run, tmp_path):
    assert "datasets.yaml:1:1" in ended(run("validate"), 1).stderr
    assert "other.yaml:1:1" in ended(run("validate", tmp_path / "other.yaml"), 1).stderr


def test_with_data_every_table_that_does_not_fit_is_told(run, registry_file, write_table):
    (registry_file.parent / "gold" / "dim_items.parquet").unlink()
    write_table("fact_inventory", {"item_id": ["A", "A"]})
    assert ended(run("validate"), 0).stdout
    told = ended(run("validate", "--data"), 1).stderr
    assert "items: no file" in told
    assert "inventory: no column 'date'" in told


def test_with_data_an_endpoint_that_cannot_be_offered_is_told_with_its_place(run, registry_file):
    text = registry_file.read_text().replace("summary: {}", "sumary: {}")
    registry_file.write_text(text)
    line = 1 + text.splitlines().index("      sumary: {}")
    told = ended(run("validate", "--data"), 1).stderr
    assert told.startswith(f"datasets.yaml:{line}:7  datasets.forecasts.endpoints.sumary: ")
    assert "did you mean 'summary'?" in told


def test_validation_leaves_no_trace(run, registry_file, settings):
    before = sorted(registry_file.parent.rglob("*"))
    ended(run("validate", "--data"), 0)
    assert sorted(registry_file.parent.rglob("*")) == before
    assert not settings.state.exists()


@pytest.mark.parametrize("command", ["validate", "serve", "refresh", "openapi", "demo"])
def test_mistakes_of_the_environment_are_all_told_before_anything_is_done(run, settings, command):
    wrong = {"ASSAY_PORT": "http", "ASSAY_WORKERS": "0", "ASSAY_SATTE": "x"}
    told = ended(run(command, **wrong), 2).stderr
    for part in ("ASSAY_PORT: found 'http'", "ASSAY_WORKERS: found '0'", "'ASSAY_SATTE'"):
        assert part in told
    assert not settings.state.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("sreve",),
        ("validate", "--dat"),
        ("serve", "--port", "99999"),
        ("serve", "--workers", "0"),
        ("keys", "create", "--name", "x"),
        ("keys", "create", "--name", "x", "--scope", "Root"),
        ("keys", "create", "--name", "x", "--scope", "read", "--expires-in", "9y"),
        ("keys", "create", "--name", "x", "--scope", "read", "--not-before", "soon"),
        ("keys", "revoke"),
        ("keys", "create", "--name", "", "--scope", "read"),
        ("demo-data",),
        ("openapi", "--format", "xml"),
    ],
)
def test_a_command_that_is_none_is_refused(run, settings, arguments):
    assert ended(run(*arguments), 2).stderr.startswith("Usage: ")
    assert not settings.keys_file.exists()


def test_a_key_is_shown_once_and_only_its_hash_is_kept(run, settings):
    made = ended(run("keys", "create", "--name", "the dashboard", "--scope", "read"), 0)
    key = made.stdout.splitlines()[-1]
    (record,) = read_keys(settings.keys_file)
    assert key.startswith(f"assay_{record.id}_")
    assert (record.name, record.scopes) == ("the dashboard", {"read"})
    content = settings.keys_file.read_text()
    assert key not in content
    assert key.rpartition("_")[2] not in content + made.stderr
    assert settings.keys_file.stat().st_mode & 0o077 == 0


def test_a_key_may_have_several_scopes_and_a_time(run, settings):
    scopes = ("--scope", "read", "--scope", "finance")
    times = ("--not-before", "2999-01-01", "--expires-in", "90d")
    made = ended(run("keys", "create", "--name", "ann", *scopes, *times), 0)
    assert "scope finance lets read what says 'access: finance'" in made.stderr
    (record,) = read_keys(settings.keys_file)
    assert record.scopes == {"read", "finance"}
    assert (record.expires_at - record.not_before).days == 90
    told = ended(run("keys", "list"), 0).stdout.splitlines()
    assert told[1].split() == [
        *(record.id, "not", "yet", "valid", "finance,read"),
        *("2999-01-01T00:00Z", "2999-04-01T00:00Z", "ann"),
    ]  # fmt: skip


def test_a_key_that_is_revoked_stays_in_the_list(run, settings):
    ended(run("keys", "create", "--name", "ann", "--scope", "read"), 0)
    (record,) = read_keys(settings.keys_file)
    assert ended(run("keys", "revoke", record.id), 0).stdout == f"key {record.id} is revoked\n"
    assert f"{record.id}  revoked" in ended(run("keys", "list"), 0).stdout
    assert "no key of that id" in ended(run("keys", "revoke", "00000000"), 1).stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"ASSAY_KEYS": "assay_nonsense"}, "ASSAY_KEYS: not JSON"),
        ({"ASSAY_TOKEN_KEYS": "/nowhere"}, "needs ASSAY_TOKEN_ISSUER"),
    ],
)
def test_keys_that_are_broken_start_no_server(run, refresh, registry_file, variables, told):
    assert registry_file.exists()
    refresh()
    assert told in ended(run("serve", "--port", "0", **variables), 1).stderr


def test_a_key_may_be_kept_in_another_file(run, settings, tmp_path):
    other = tmp_path / "secrets" / "keys.json"
    ended(run("keys", "create", "--name", "ops", "--scope", "admin", "--file", other), 0)
    assert len(read_keys(other)) == 1
    assert not settings.keys_file.exists()


def test_a_file_of_keys_that_is_broken_is_told_and_left_alone(run, tmp_path):
    broken = tmp_path / "keys.json"
    broken.write_text("{")
    made = run("keys", "create", "--name", "ops", "--scope", "admin", "--file", broken)
    revoked = run("keys", "revoke", "abcd1234", "--file", broken)
    for each in (made, revoked):
        assert "keys.json is broken: not JSON; mend it" in ended(each, 1).stderr
        assert each.stdout == ""
    assert broken.read_text() == "{"


@pytest.mark.parametrize("command", ["refresh", "plan", "serve", "rollback 1"])
def test_a_state_directory_that_cannot_be_is_told(run, registry_file, tmp_path, command):
    (tmp_path / "file").write_text("")
    told = run(*command.split(), ASSAY_STATE=tmp_path / "file" / "state", ASSAY_PORT="0")
    assert "The state directory cannot be used: Not a directory" in ended(told, 1).stderr


def test_a_refresh_needs_no_server(run, registry_file, write_table):
    assert registry_file.exists()
    first = ended(run("refresh"), 0).stdout
    assert "items: added\nforecasts: added\ninventory: added\nsucceeded: generation 1\n" in first
    assert ended(run("refresh"), 0).stdout.endswith("unchanged: generation 1\n")
    write_table("fact_inventory", {"item_id": ["A"]})
    assert ended(run("refresh", "--dataset", "items"), 0).stdout.endswith("generation 1\n")
    told = ended(run("refresh", "--dataset", "inventory"), 1).stderr
    assert "inventory: no column 'date'" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--dataset", "item"), "did you mean 'items'?"),
        (("--source", "glod"), "did you mean 'gold'?"),
    ],
)
def test_a_refresh_of_what_is_not_declared_is_refused(run, registry_file, arguments, told):
    assert registry_file.exists()
    assert told in ended(run("refresh", *arguments), 1).stderr


def test_a_refresh_with_a_broken_registry_tells_every_place(run, registry_file):
    registry_file.write_text(BROKEN)
    lines = ended(run("refresh"), 1).stderr.splitlines()
    assert len([line for line in lines if line.startswith("datasets.yaml:")]) >= 4


def test_the_schema_is_json(run):
    assert json.loads(ended(run("schema"), 0).stdout) == json_schema()


def test_the_document_is_json_or_yaml(run, settings, registry_file, refresh):
    assert registry_file.exists()
    refresh()
    worker = Worker(settings)
    document = document_of(worker.app_for(worker.current.pin()))
    shown = json.loads(ended(run("openapi"), 0).stdout)
    assert shown == json.loads(json.dumps(document))
    assert yaml.safe_load(ended(run("openapi", "--format", "yaml"), 0).stdout) == shown


def test_without_a_generation_there_is_no_document(run):
    told = ended(run("openapi"), 1).stderr
    assert "No refresh has succeeded yet." in told


def test_a_port_that_is_taken_is_told(run, registry_file, refresh):
    assert registry_file.exists()
    refresh()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = ended(run("serve", "--port", port), 1).stderr
    assert f"127.0.0.1:{port} is taken" in told


def test_demo_data_are_three_tables(run, tmp_path):
    told = ended(run("demo-data", tmp_path / "gold", "--items", "3", "--days", "70"), 0).stdout
    names = ["dim_items", "fact_forecast", "fact_inventory"]
    assert [line.partition(":")[0] for line in told.splitlines()] == names
    assert sorted(path.stem for path in (tmp_path / "gold").glob("*.parquet")) == names


def test_every_command_explains_itself(run):
    told = ended(run("--help"), 0).stdout
    for command in ("serve", "demo", "demo-data", "validate", "refresh", "keys", "openapi"):
        assert f"  {command} " in told
    assert ended(run("serve", "-h"), 0).stdout.startswith("Usage: ")
    assert ended(run("--version"), 0).stdout.strip().endswith(__version__)


def test_a_command_is_loaded_when_it_is_asked_for():
    code = "import sys, app.__main__; print({'duckdb', 'flask', 'app.service'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "set()\n"


HEAVY = {"duckdb", "flask", "limits", "pyarrow", "redis", "sqlglot"}
ENTRANCES = {
    # What starts the workers, of a service that has a Generation.
    "app.cli.serving": HEAVY,
    # A worker, of a service that is told of no Redis.
    "app.service": {"limits", "redis"},
}


@pytest.mark.parametrize("module", ENTRANCES)
def test_a_start_imports_nothing_that_it_does_not_need(module):
    code = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert module in ran.stdout.split()
    assert ENTRANCES[module] & set(ran.stdout.split()) == set()
