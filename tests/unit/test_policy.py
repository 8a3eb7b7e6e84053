"""No machine learning framework runs here, and the check of it raises no false alarm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.policy import FORBIDDEN, Policy, check_dockerfile, check_requirements, is_forbidden

ROOT = Path(__file__).parents[2]
TELL = "import json; from app.policy import *; print(*check_environment().violations, sep='; ')"


def run(*arguments, path):
    """Run Python beside this one, with ``path`` among the places it imports from."""
    # S603: the arguments are texts of this file.
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def violations(path, before=""):
    ended = run("-c", before + TELL, path=path)
    assert ended.stderr == ""
    return ended.stdout.strip()


def install(folder, name):
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def requirements(tmp_path, text):
    (tmp_path / "requirements.txt").write_text(text)
    return check_requirements(tmp_path / "requirements.txt").violations


def dockerfile(tmp_path, text):
    (tmp_path / "Dockerfile").write_text(text)
    return check_dockerfile(tmp_path / "Dockerfile").violations


# The environment


def test_this_environment_is_compliant(tmp_path):
    assert violations(tmp_path) == ""


@pytest.mark.parametrize(
    "name", ["torch", "Scikit_Learn", "tensorflow-cpu", "PyTorch.Lightning", "jaxlib", "xgboost"]
)
def test_a_distribution_is_found_in_any_spelling(tmp_path, name):
    install(tmp_path, name)
    assert violations(tmp_path) == f"{name} is installed"


@pytest.mark.parametrize("place", ["torch-1.0.egg-info/PKG-INFO", "torch-1.0.egg-info"])
def test_a_distribution_of_an_older_form_is_found(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("Metadata-Version: 1.0\nName: torch\n\nName: other\n")
    assert violations(tmp_path) == "torch is installed"


@pytest.mark.parametrize("module", ["torch", "sklearn", "pytorch_lightning", "tensorflow"])
def test_a_module_without_a_distribution_is_found(tmp_path, module):
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text("raise SystemExit('must not be imported')\n")
    assert violations(tmp_path) == f"{module} can be imported"


def test_a_module_that_was_imported_is_found_even_if_it_has_no_file(tmp_path):
    before = "import sys, types; sys.modules['mlflow'] = types.ModuleType('mlflow'); "
    assert violations(tmp_path, before) == "mlflow is imported"


def test_names_that_are_no_packages_raise_no_alarm(tmp_path):
    (tmp_path / "keras.txt").write_text("keras\n")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "table.parquet").touch()
    (tmp_path / "broken-1.0.dist-info").mkdir()
    before = "import duckdb, sys; duckdb.DuckDBPyRelation.torch; sys.modules['jax'] = None; "
    assert violations(tmp_path, before) == ""


@pytest.mark.parametrize("name", ["numpy", "pandas", "pyarrow", "torchlight", "xray", "spacious"])
def test_other_names_are_not_forbidden(name):
    assert not is_forbidden(name)


def test_the_policy_says_what_the_health_document_needs():
    assert Policy(()).as_fact() == {
        "status": "compliant",
        "message": "No machine learning framework found.",
        "checked_packages": sorted(FORBIDDEN),
        "violations": [],
    }
    found = Policy(("torch is installed",))
    assert found.status == "violation"
    assert found.message == "Machine learning frameworks found: torch is installed."


# Requirements


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Scikit_Learn==1.5", "Scikit_Learn"),
        ("torch", "torch"),
        ("  torch >= 2 ; python_version > '3'", "torch"),
        ("ray[default]~=2.0  # for later", "ray"),
        ("torch @ https://host/x.whl", "torch"),
        ("https://host/whl/torch-2.1%2Bcpu-cp311-none-any.whl#sha256=0", "torch"),
        ("./wheels/scikit_learn-1.5.0.tar.gz", "scikit_learn"),
        ("git+https://host/pytorch/pytorch.git@v2", "pytorch"),
        ("-e git+https://host/x.git#egg=keras", "keras"),
        ("--editable=../torch", "torch"),
        ("xgboost \\\n  --hash=sha256:00", "xgboost"),
        ("\ufefflightgbm", "lightgbm"),
    ],
)
def test_a_requirement_is_found_in_any_form(tmp_path, line, name):
    assert requirements(tmp_path, f"{line}\nflask\n") == (f"{name} in requirements.txt:1",)


def test_an_included_file_is_checked_once_even_if_it_includes_itself(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("-r ../requirements.txt\n-r more.txt\ncatboost\n")
    found = requirements(tmp_path, "-r sub/more.txt\n--requirement=sub/more.txt\n")
    assert found == ("catboost in more.txt:3",)


@pytest.mark.parametrize(
    "text",
    [
        "", "# torch\n", "flask  # not torch\n", "duckdb[torch]==1\n", "keras.txt\n",
        "-c torch.txt\n", "--index-url https://host/torch\n", "numpy==2\npandas==3\n",
        "flask==3 \\\n    --hash=sha256:torch\n",
    ],
)  # fmt: skip
def test_a_requirements_file_without_frameworks_is_compliant(tmp_path, text):
    assert requirements(tmp_path, text) == ()


# Dockerfiles


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RUN pip install torch", "torch"),
        ("RUN apt-get update && pip3 install --no-cache-dir 'torch>=2' flask", "torch"),
        ("RUN apt-get update \\\n # why\n && python -m pip install \\\n  keras", "keras"),
        ('RUN ["pip", "install", "mlflow"]', "mlflow"),
        ('ONBUILD RUN ["pip", "install", "mlflow"]', "mlflow"),
        ("RUN bash -c 'pip install xgboost'", "xgboost"),
        ("RUN uv pip install -r a.txt sklearn", "sklearn"),
        ("RUN conda install -c pytorch conda-forge::torchvision=1", "torchvision"),
        ("RUN apt-get install -y python3-sklearn", "sklearn"),
        ("RUN <<END\npip install torch\nEND", "torch"),
        ('ARG WHAT="flask torch"\nRUN pip install $WHAT', "torch"),
        ("RUN pip install ${WHAT:-torch}", "torch"),
        ("FROM pytorch/pytorch:2.1 AS base", "pytorch"),
        ("FROM --platform=linux ghcr.io/x/keras-notebook@sha256:0", "keras-notebook"),
    ],
)  # fmt: skip
def test_what_a_dockerfile_installs_is_found(tmp_path, text, name):
    found = dockerfile(tmp_path, f"FROM python:3.11-slim\n{text}\n")
    assert name in [each.partition(" in ")[0] for each in found]


def test_a_finding_names_the_line_where_its_command_starts(tmp_path):
    text = "FROM python\n\nRUN pip install \\\n  torch\nRUN pip install keras\n"
    assert dockerfile(tmp_path, text) == ("torch in Dockerfile:3", "keras in Dockerfile:5")


@pytest.mark.parametrize(
    "text",
    [
        "# RUN pip install torch", "FROM python:3.11 AS torch", "COPY torch /srv/torch",
        "RUN pip install --target torch --no-deps flask", "RUN pip install -r torch.txt",
        "RUN pip uninstall torch", "RUN pip install flask && ls torch", "RUN pip install torch.txt",
        "RUN echo 'pip install torch'", "RUN echo 'unclosed", 'CMD ["torch"',
        "RUN pip install --index-url https://host/torch flask",
    ],
)  # fmt: skip
def test_a_dockerfile_that_installs_none_is_compliant(tmp_path, text):
    assert dockerfile(tmp_path, text + "\n") == ()


# The command


def test_the_command_tells_what_it_found_and_exits_with_one(tmp_path):
    (tmp_path / "more.txt").write_text("flask\ntorch\n")
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\n")
    files = [str(tmp_path / name) for name in ("more.txt", "Dockerfile", "missing.txt")]
    ended = run("-m", "app.policy", *files, path=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        "more.txt: violation: Machine learning frameworks found: torch in more.txt:2.",
        "Dockerfile: compliant: No machine learning framework found.",
        "missing.txt: not readable: No such file or directory",
    ]


def test_the_command_exits_with_zero_where_nothing_is_found(tmp_path):
    ended = run("-m", "app.policy", path=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("this environment: compliant")
