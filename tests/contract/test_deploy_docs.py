"""What the deployment guide gives to be copied is what its reader knows, where it can be asked."""

import os
import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

UNIT = re.compile(r"```text\n(# /etc/systemd/system/assay\.service\n.*?)```", re.DOTALL)
PYTHON = "/srv/assay/.venv/bin/python"


def verified(folder, unit):
    """Give what systemd says of a unit; nothing, where it knows and takes every line of it."""
    if shutil.which("systemd-analyze") is None:
        told = "systemd-analyze is not installed"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    path = folder / "assay.service"
    path.write_text(unit)
    command = ["systemd-analyze", "verify", path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if "assay.service" in line]


def test_systemd_knows_every_line_of_the_unit(tmp_path):
    (unit,) = UNIT.findall((ROOT / "docs" / "how-to" / "deploy.md").read_text())
    assert unit.count(PYTHON) == 1
    # The command has to be there, and a shell is everywhere.
    unit = unit.replace(PYTHON, "/bin/sh")
    assert verified(tmp_path, unit) == []
    assert verified(tmp_path, unit.replace("LockPersonality", "LockPersonalty")) != []
