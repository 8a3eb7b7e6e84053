"""The benchmark itself: all of it, on few items, against the one peer that needs no program."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.benchmarks.__main__ import PAGE, PARTS, main
from tests.benchmarks.bars import BARS
from tests.benchmarks.circumstances import circumstances
from tests.benchmarks.load import wrk
from tests.benchmarks.report import BEGIN, END, report, write_into
from tests.benchmarks.rounds import Pace
from tests.benchmarks.run import LOOKS, Run
from tests.benchmarks.workload import EXPORT_ITEMS, NAMED

TARGETS = ("assay", "naive")
PROGRAMS = Path(sys.executable).parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_benchmark_runs_and_measures_all_that_has_a_bar(tmp_path):
    pace = Pace(rounds=1, one=0.1, many=1, look=1, starts=2, settled=0.2)
    few = {"items": EXPORT_ITEMS + 40, "growth": 2, "pace": pace, "clients": 4}
    figures = Run(tmp_path, PROGRAMS, targets=TARGETS, **few).figures(print)
    assert figures.notes == []
    measured = {(workload, target) for workload, target, _ in figures.given}
    assert measured >= {(name, "assay") for name in NAMED}
    assert measured >= {(name, "naive") for name in NAMED if name != "arrow"}
    assert all(value >= 0 for values in figures.given.values() for value in values)
    for bar in BARS:
        if wrk() is None and "per_second" in bar.figure:
            continue
        if bar.figure[1] != "assay_prepared":
            assert bar.figure in figures.given
    text = report(figures, circumstances(PROGRAMS, rounds=1))
    assert all(f"### {name.capitalize()}" in text for name in (*NAMED, "footprint", "renewal"))
    assert str(tmp_path) not in text


def test_what_is_written_into_a_page_leaves_the_rest_as_it_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold \\1\n{END}\n\nAfter.\n")
    for text in ("one \\1", "two"):
        write_into(page, text)
    assert page.read_text() == f"# Before\n\n{BEGIN}\n\ntwo\n\n{END}\n\nAfter.\n"


def test_the_page_on_performance_has_a_place_for_the_figures():
    assert PAGE.read_text().index(BEGIN) < PAGE.read_text().index(END)


def test_an_unknown_part_is_refused_with_those_there_are():
    refused = CliRunner().invoke(main, ["--only", "kept lokup"])
    assert refused.exit_code == 2
    assert "lokup" in refused.output
    assert set(PARTS) == {*NAMED, *LOOKS}
    assert all(name in refused.output for name in PARTS)
