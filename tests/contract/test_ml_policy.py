"""Everything is precomputed: no route infers or trains, and no framework that could is deployed."""

import json
import re
from urllib.request import urlopen

import pytest

from app.policy import FORBIDDEN
from app.service import Worker

SUSPECT = re.compile(
    "predict|infer|forecast_on|train|fit|optimi[sz]e|tune|score|evaluate|model/", re.IGNORECASE
)


@pytest.fixture
def routes(settings, registry_file, refresh):
    """Each route of the built app and its methods."""
    assert registry_file.exists()
    assert refresh().status == "succeeded"
    worker = Worker(settings)
    app = worker.app_for(worker.current.pin())
    return [(rule.rule, rule.endpoint, rule.methods) for rule in app.url_map.iter_rules()]


def test_no_route_is_named_as_if_it_computed_a_forecast(routes):
    assert len(routes) > 10
    assert [rule for rule, name, _ in routes if SUSPECT.search(rule) or SUSPECT.search(name)] == []


def test_only_the_refresh_takes_anything_but_questions(routes):
    asking = {"GET", "HEAD", "OPTIONS"}
    assert {rule: methods - asking for rule, _, methods in routes if methods - asking} == {
        "/api/v1/data/refresh": {"POST"}
    }


def test_health_says_that_nothing_forbidden_is_here(client):
    told = client.get("/health").json["ml_dependencies"]
    assert (told["status"], told["violations"]) == ("compliant", [])
    assert set(told["checked_packages"]) == FORBIDDEN
    assert {"torch", "tensorflow", "scikit-learn", "mlflow", "xgboost"} <= FORBIDDEN
    assert told["message"]


def test_a_framework_that_is_installed_makes_health_degraded(
    server, registry_file, tmp_path, monkeypatch
):
    assert registry_file.exists()
    installed = tmp_path / "site" / "torch-9.9.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", str(installed.parent))
    with urlopen(f"{server().url}/health", timeout=10) as answer:
        health = json.load(answer)
    assert health["status"] == "degraded"
    assert health["ml_dependencies"]["status"] == "violation"
    assert any("torch" in each for each in health["ml_dependencies"]["violations"])
    assert "torch" in health["ml_dependencies"]["message"]
