"""Whatever is asked, and by whom, every answer is one that the document speaks of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import key_headers
from tests.journeys.test_access import closed

# Of each caller: they are four in the long form.
LEAST_CASES, LEAST_SOAKED = 2_000, 5_000
ALWAYS = {"", "admin"}
# What is open to all is asked without a key already.
NEEDING_KEY = "/(inventory|refresh)(/|$)"
# Of the generic routes those of items have nothing that those of the others have not.
TITLE = "    title: Items\n"
# An address that is too long is refused before anybody looks at what is wrong with it.
CONFIG = """\
hooks = "hooks.py"

[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 410, 414, 415, 422]
# That a period may not end before it starts no schema of one parameter can say.
positive_data_acceptance.enabled = false
"""
# With a method that is none a second credential is sent, which is refused before the method is.
WITH_KEY = """\
unsupported_method.enabled = false

# To who has no key, what needs one is not there: 404, and not the 401 that is looked for.
[[operations]]
include-path-regex = "/inventory(/|$)"
checks.ignored_auth.enabled = false

# Else other credentials are made up beside the key, and all that is told is that they differ.
[auth.openapi]
key = {{api_key = "{key}"}}
bearer = {{bearer = "{key}"}}
"""
# The server itself refuses an address of 64 KiB, without a body; that is asked elsewhere.
HOOKS = """\
import requests
import schemathesis


@schemathesis.hook
def filter_case(context, case):
    sent = case.as_transport_kwargs()
    address = requests.Request("GET", sent["url"], params=sent.get("params")).prepare().url
    return len(address) < 65_000
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scope", ["", "stock", "refresh", "admin"], ids="scope-{}".format)
def test_thousands_of_questions_get_documented_answers(
    server, registry_file, settings, soak, tmp_path, scope
):
    if not soak and scope not in ALWAYS:
        pytest.skip("with --soak")
    text = closed(registry_file.read_text())
    fewer = text if soak else text.replace(TITLE, f"{TITLE}    generic: false\n")
    registry_file.write_text(fewer)
    assert soak or text != fewer
    keys = key_headers(settings, scope) if scope else {}
    own = WITH_KEY.format(key=keys["X-API-Key"]) if scope else ""
    (tmp_path / "schemathesis.toml").write_text(CONFIG + own)
    (tmp_path / "hooks.py").write_text(HOOKS)
    command = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{server(workers=1, guesses_per_minute=0).url}/openapi.json",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--max-examples={100 if soak else 5}",
        *(f"--header={name}:{key}" for name, key in keys.items()),
        *((f"--include-path-regex={NEEDING_KEY}",) if keys and not soak else ()),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=3600
    )
    told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    failures = done.stdout.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]
    assert done.returncode == 0, failures[:6000] or done.stdout[-6000:]
    assert told is not None, done.stdout[-2000:]
    sys.stdout.write(f"\nwith scope {scope!r}: {told[0]}\n")
    assert int(told[1]) == int(told[2]) >= (LEAST_SOAKED if soak else LEAST_CASES)
