"""What a service tells is what the docs say; alerts and dashboard use nothing else.

The expressions are tried by a real Prometheus that scrapes a real service, where there is one.
"""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import structlog
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import free_port, item_columns

DOCS = Path(__file__).parents[2] / "docs"
ALERTS = DOCS / "reference" / "alerts.yaml"
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DOCS / "reference" / "grafana.json").read_text())
PANELS = DASHBOARD["panels"]
# What Prometheus adds to whatever it scrapes.
ADDED = {"instance", "job"}
WORDS = {
    *("by", "sum", "rate", "increase", "histogram_quantile", "topk", "time", "max_over_time"),
    *("or", "and", "unless", "on", "ignoring", "up"),
}


@pytest.fixture
def watched(server, registry_file, write_table, admin):
    """A service that has been asked this and that, with a refresh that succeeded and one not."""
    url = server(workers=2).url
    for path in ("/api/v1/items", "/api/v1/items", "/api/v1/datasets/items/rows.csv", "/nowhere"):
        fetch(url + path)
    write_table("dim_items", {**item_columns(), "item_id": ["A", "A", "C"]})
    refresh = Request(
        f"{url}/api/v1/data/refresh", method="POST", headers={**admin, "Prefer": "wait=30"}
    )
    assert fetch(refresh)[0] == 422
    # Each worker writes down each second what it has counted.
    until = time.monotonic() + 30
    while not all(f'status="{seen}"' in fetch(f"{url}/metrics")[1] for seen in (200, 404, 422)):
        assert time.monotonic() < until
        time.sleep(0.2)
    return url


def fetch(asked):
    try:
        with urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def told(url):
    """Give the kind and the labels of each figure that a service tells."""
    families = text_string_to_metric_families(fetch(f"{url}/metrics")[1])
    found = {}
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        assert family.samples, f"{name} is not known"
        found[name] = (family.type, labels - {"le"})
    return found


def documented(heading):
    """Give the rows of the table below a heading of the page."""
    text = (DOCS / "reference" / "metrics.md").read_text().partition(f"\n## {heading}\n")[2]
    rows = re.findall(r"^\|( `.*)\|$", text.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def quoted(cell):
    return set(re.findall(r"`([^`]+)`", cell))


def figures():
    """Give the kind and the labels of each figure by the page."""
    rows = documented("Figures")
    return {name.strip("`"): (kind, quoted(labels)) for name, kind, labels, _ in rows}


def test_each_figure_is_told_as_it_is_documented_and_no_other(watched):
    assert told(watched) == figures()


def test_each_label_is_documented_and_no_other():
    used = set().union(*(labels for _, labels in figures().values()))
    assert set().union(*(quoted(row[0]) for row in documented("Labels"))) == used


def rows_of(page, heading, header):
    """Give the names in the first column of the table with that header, below that heading."""
    text = (DOCS / "reference" / f"{page}.md").read_text().partition(f"\n{heading}\n")[2]
    found = re.search(rf"^\| {header} \|.*\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    return set().union(*(quoted(row.split("|")[1]) for row in found[1].splitlines()))


def test_each_field_of_a_request_line_is_documented_and_no_other(client):
    with structlog.testing.capture_logs() as events:
        client.get("/api/v1/items")
        client.get("/api/v1/items?limt=3")
    fields = set().union(*events) - {"log_level"} | {"timestamp", "level"}
    assert rows_of("logs", "### A request", "field") == fields | {"trace_id"}


def test_each_field_and_outcome_of_the_audit_is_documented_and_no_other(
    client, settings, admin, write_table
):
    headers = {**admin, "Prefer": "wait=30"}

    def call(body):
        return client.post("/api/v1/data/refresh", headers=headers, json=body)

    for body in ({}, {"dry_run": True}, {"force": 1}):
        call(body)
    for columns in ({"name": ["X", "Y", "Z"]}, {"item_id": ["A", "A", "C"]}):
        write_table("dim_items", {**item_columns(), **columns})
        call({"source": "gold"})
    lines = [json.loads(line) for line in (settings.state / "audit.jsonl").read_text().splitlines()]
    assert rows_of("logs", "## The audit", "field") == set().union(*lines)
    outcomes = {line["outcome"] for line in lines} | {"interrupted"}
    assert rows_of("logs", "## The audit", "outcome") == outcomes


def expressions():
    """Give each expression, with where it stands and the labels that a text beside it shows."""
    for rule in RULES:
        shown = re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))
        yield rule["alert"], rule["expr"], set(shown)
    for panel in PANELS:
        for target in panel["targets"]:
            shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            yield panel["title"], target["expr"], set(shown)


def used_in(expression):
    """Give the series and the labels that an expression names."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", bare))
    labels |= {name for group in re.findall(r"by \(([^)]*)\)", bare) for name in group.split(", ")}
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", bare)
    return set(re.findall(r"[a-zA-Z_]\w*", re.sub(r"\b[\d.]+(e\d+)?\b", " ", rest))) - WORDS, labels


def test_alerts_and_dashboard_use_what_is_told_and_nothing_else():
    known = {
        series: labels
        for name, (kind, labels) in figures().items()
        for series in ([f"{name}_bucket"] if kind == "histogram" else [name])
    }
    wrong = []
    for place, expression, shown in expressions():
        series, labels = used_in(expression)
        assert series or "up{" in expression, place
        own = set().union(ADDED, *(known.get(each, ()) for each in series))
        own |= {"le"} if any(each.endswith("_bucket") for each in series) else set()
        wrong += [(place, each) for each in series - known.keys()]
        wrong += [(place, each) for each in (labels | shown) - own]
    assert wrong == []


def test_each_figure_is_drawn_or_watched():
    shown = set().union(*(used_in(expression)[0] for _, expression, _ in expressions()))
    assert {name for name in figures() if not {name, f"{name}_bucket"} & shown} == set()


def test_each_alert_is_explained_and_no_other():
    text = (DOCS / "how-to" / "operate.md").read_text()
    part = text.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^### |\Z)", part, re.MULTILINE | re.DOTALL))
    assert list(sections) == [rule["alert"] for rule in RULES]
    assert [name for name, section in sections.items() if len(section.split()) < 25] == []


def test_panels_have_a_place_of_their_own_and_a_unit():
    taken = set()
    for panel in PANELS:
        at = panel["gridPos"]
        squares = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not squares & taken, panel["title"]
        taken |= squares
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


needs_prometheus = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs Prometheus, which CI installs"
)


@needs_prometheus
def test_promtool_finds_no_mistake_in_the_rules():
    run(["promtool", "check", "rules", "--lint-fatal", str(ALERTS)])


def run(command, text=None):
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# Of each alert: series that make it fire after an hour, and others that do not.
FIRING = {
    "AssayDown": ['up{job="assay"} 0'],
    "AssayUnhealthy": ['assay_health{status="unhealthy"} 1'],
    "AssayDegraded": ['assay_health{status="degraded"} 1'],
    "AssayFaults": ['assay_requests_total{status="500", route="/a"} 0+1x60'],
    "AssayBusy": [
        'assay_requests_total{status="503"} 0+2x60',
        'assay_requests_total{status="200"} 0+98x60',
    ],
    "AssaySlow": [
        'assay_request_seconds_bucket{route="/a", le="2.5"} 0+90x60',
        'assay_request_seconds_bucket{route="/a", le="5.0"} 0+100x60',
        'assay_request_seconds_bucket{route="/a", le="+Inf"} 0+100x60',
    ],
    "AssayWorkersLost": ["assay_workers 4x30 3x30"],
    "AssayRefreshFailed": [
        "assay_refresh_last_failure_timestamp_seconds 100",
        "assay_refresh_last_success_timestamp_seconds 99",
    ],
    "AssayRefreshOverdue": ["assay_refresh_last_success_timestamp_seconds -93000"],
    "AssayDatasetLate": ['assay_dataset_status{status="degraded", dataset="a"} 1'],
    "AssayDiskLow": ["assay_free_bytes 4e9", "assay_tables_bytes 9e9"],
    "AssayGuessing": ['assay_requests_total{status="401"} 0+21x60'],
}
QUIET = {
    "AssayDown": ['up{job="assay"} 1', 'up{job="other"} 0'],
    "AssayUnhealthy": ['assay_health{status="unhealthy"} 0', 'assay_health{status="degraded"} 1'],
    "AssayDegraded": ['assay_health{status="degraded"} 0'],
    "AssayFaults": [
        'assay_requests_total{status="503", route="/a"} 0+1x60',
        'assay_requests_total{status="500", route="/a"} 7x60',
    ],
    "AssayBusy": [
        'assay_requests_total{status="503"} 0+1x60',
        'assay_requests_total{status="200"} 0+999x60',
    ],
    "AssaySlow": [
        'assay_request_seconds_bucket{route="/a", le="2.5"} 0+999x60',
        'assay_request_seconds_bucket{route="/a", le="+Inf"} 0+1000x60',
        'assay_request_seconds_bucket{route="/api/v1/datasets/a/rows.{format}", le="2.5"} 0x60',
        'assay_request_seconds_bucket{route="/api/v1/datasets/a/rows.{format}", le="+Inf"} 0+9x60',
    ],
    "AssayWorkersLost": ["assay_workers 4x60"],
    "AssayRefreshFailed": [
        "assay_refresh_last_failure_timestamp_seconds 99",
        "assay_refresh_last_success_timestamp_seconds 100",
    ],
    "AssayRefreshOverdue": ["assay_refresh_last_success_timestamp_seconds 0"],
    "AssayDatasetLate": ['assay_dataset_status{status="warn", dataset="a"} 1'],
    "AssayDiskLow": ["assay_free_bytes 50e9", "assay_tables_bytes 9e9"],
    "AssayGuessing": ['assay_requests_total{status="401"} 0+19x60'],
}


def series_of(lines):
    for line in lines:
        # Values come last; one alone holds for the whole hour.
        *name, values = re.split(r" (?=[^}]*$)", line, maxsplit=1)
        labelled = name[0] if "{" in name[0] else f"{name[0]}{{}}"
        held = labelled.replace("{", '{instance="a",', 1).replace(",}", "}")
        yield {"series": held, "values": values if "x" in values else f"{values}x60"}


def firing(alert, lines, count):
    """Give a test of promtool: whether the alert fires after an hour of these series."""
    fired = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)'
    expected = {"expr": fired, "eval_time": "1h", "exp_samples": [{"labels": "{}", "value": count}]}
    series = list(series_of(lines))
    return {"interval": "1m", "input_series": series, "promql_expr_test": [expected]}


@needs_prometheus
def test_an_alert_fires_when_it_should_and_only_then(tmp_path):
    alerts = [rule["alert"] for rule in RULES]
    tests = [firing(alert, FIRING[alert], 1) for alert in alerts]
    tests += [firing(alert, QUIET[alert], 0) for alert in alerts]
    path = tmp_path / "alerts.yaml"
    content = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(content))
    run(["promtool", "test", "rules", str(path)])


@pytest.fixture
def prometheus(watched, tmp_path):
    """The address of a Prometheus that scrapes the service every second."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {
                "job_name": "assay",
                "static_configs": [{"targets": [watched.removeprefix("http://")]}],
            }
        ],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus", f"--config.file={tmp_path / 'prometheus.yaml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


def query(url, expression):
    body = fetch(f"{url}/api/v1/query?{urlencode({'query': expression})}")[1]
    answer = json.loads(body)
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def until_scraped(url, times):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if query(url, f'sum_over_time(up{{job="assay"}}[1m]) >= {times}'):
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.3)
    raise AssertionError("Prometheus does not scrape the service")


@needs_prometheus
@pytest.mark.slow
def test_a_prometheus_that_scrapes_the_service_can_draw_the_dashboard(watched, prometheus):
    run(["promtool", "check", "metrics"], text=fetch(f"{watched}/metrics")[1])
    until_scraped(prometheus, 5)
    empty = []
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"].replace("$instance", ".*")
            if not query(prometheus, expression.replace("$__rate_interval", "1m")):
                empty.append((panel["title"], expression))
    assert empty == []
    rules = json.loads(fetch(f"{prometheus}/api/v1/rules")[1])["data"]["groups"][0]["rules"]
    assert {rule["name"]: rule["health"] for rule in rules} == {
        rule["alert"]: "ok" for rule in RULES
    }
    # The refresh that failed is seen; nothing else is wrong but the first one's late data.
    failed = query(prometheus, 'ALERTS{alertname="AssayRefreshFailed"}')
    assert [each["metric"]["alertstate"] for each in failed] == ["pending"]
