"""Whatever is asked, every answer is one that the document speaks of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

LEAST_CASES = 2_000
# An address that is too long is refused before anybody looks at what is wrong with it.
CONFIG = """\
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 410, 414, 415, 422]
# That a period may not end before it starts no schema of one parameter can say.
positive_data_acceptance.enabled = false
"""


@pytest.mark.slow
@pytest.mark.usefixtures("registry_file")
def test_thousands_of_questions_get_documented_answers(server, soak, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{server(workers=1, guesses_per_minute=0).url}/openapi.json",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--max-examples={100 if soak else 10}",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=1800
    )
    told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    failures = done.stdout.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]
    assert done.returncode == 0, failures[:6000] or done.stdout[-6000:]
    assert told is not None, done.stdout[-2000:]
    assert int(told[1]) == int(told[2]) >= LEAST_CASES
