"""The report: what was measured, as Markdown."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bars import BARS
from tests.benchmarks.figures import Bar, Figures, Key
from tests.benchmarks.workload import NAMED

BEGIN, END = "<!-- figures: `make bench` writes them -->", "<!-- end of figures -->"
_BASE = "roapi"
_COMPARED = ("p50_ms", "per_second")
_UNITS = {"us": "µs", "mb": "MB", "pct": "%", "cpu": "CPU"}

Row = list[str]


def report(figures: Figures, circumstances: str) -> str:
    """Write all figures: first the bars, then a table for each workload and each other look."""
    parts = [circumstances, "### Bars", _table(list(_bar_rows(figures)))]
    for name in dict.fromkeys(key[0] for key in figures.given):
        parts.append(f"### {name.capitalize()}")
        if name in NAMED:
            parts.append(f"{NAMED[name].title.capitalize()}.")
        parts.append(_table(list(_rows(figures, name))))
    if figures.notes:
        parts += ["### Left out", "\n".join(f"- {note}" for note in figures.notes)]
    return "\n\n".join(parts)


def write_into(page: Path, text: str) -> None:
    """Put the report between the two marks of a page; all else on it stays."""
    marks = re.compile(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", re.DOTALL)
    page.write_text(marks.sub(lambda _: f"\n\n{text}\n\n", page.read_text()))


def _bar_rows(figures: Figures) -> Iterator[Row]:
    yield ["of", "figure", "measured", "against", "ratio", "bar", "met"]
    for bar in BARS:
        workload, target, what = bar.figure
        judged = bar.judged(figures)
        shown = ["not measured", _against(bar, figures), "", _bar(bar), ""]
        if judged is not None:
            ratio = "" if bar.of is None else f"{_number(judged.ratio)}"
            met = "yes" if judged.met else "**no**"
            shown = [_number(judged.figure), _against(bar, figures), ratio, _bar(bar), met]
        yield [workload, f"{target}, {_words(what)}", *shown]


def _against(bar: Bar, figures: Figures) -> str:
    if bar.of is None:
        return ""
    workload, target, _ = bar.of
    named = f"{target}, {workload}" if workload != bar.figure[0] else target
    base = _number(figures.get(bar.of))
    return f"{named}: {base}" if base else named


def _bar(bar: Bar) -> str:
    sign = "≥" if bar.at_least else "≤"
    times = f"{_number(bar.times)}"
    return f"{sign} {times}" + (f", or {_number(bar.floor)}" if bar.floor else "")


def _rows(figures: Figures, workload: str) -> Iterator[Row]:
    """Give the table of one workload: a line for each target, and how it compares."""
    whats = list(dict.fromkeys(key[2] for key in figures.given if key[0] == workload))
    compared = [what for what in _COMPARED if (workload, _BASE, what) in figures.given]
    yield ["", *map(_words, whats), *(f"{_words(what)} ÷ {_BASE}" for what in compared)]
    for target in figures.targets(workload):
        keys: list[Key] = [(workload, target, what) for what in whats]
        measured = [_number(figures.get(key)) for key in keys]
        ratios = [_ratio(figures, (workload, target, what)) for what in compared]
        yield [target, *measured, *ratios]


def _ratio(figures: Figures, key: Key) -> str:
    base = (key[0], _BASE, key[2])
    return _number(figures.ratio(key, base)) if key in figures.given else ""


def _table(rows: list[Row]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _words(what: str) -> str:
    return " ".join(_UNITS.get(word, word) for word in what.split("_"))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
