"""Hostile names and values are names and values: what is answered is what plain Python gives."""

import json
import re
from collections import Counter
from datetime import date
from urllib.parse import quote, urlencode

import pyarrow as pa
import pytest
from werkzeug.test import Client

from app.service import make_front
from tests.hostile import HELD, corpus
from tests.journeys.conftest import refreshed, settings_in
from tests.leaks import leaks

NAMES = ["text", 'say "x"', "it's; DROP TABLE hostile; --", "select", "a__eq", "{$ne}", "../up"]
REGISTRY = """\
version: 1
sources:
  gold: {location: gold}
datasets:
  hostile:
    source: gold
    path: hostile.parquet
    keys: [text]
    lineage:
      dataset_id: {value: run}
      model_version: {value: none}
      generated_at: {value: 2026-01-01T00:00:00Z}
"""
ROWS = [
    {"text": text, "n": place - 5, "day": date(2026, 1, 1 + place % 28), "other": text[::-1]}
    for place, text in enumerate(dict.fromkeys(HELD))
]
HOSTILE = "/api/v1/datasets/hostile"
INTEGER = re.compile("[+-]*[0-9]+", re.ASCII)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of a service whose one table holds the whole corpus, and hostile columns."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "gold").mkdir()
    (folder / "datasets.yaml").write_text(REGISTRY)
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    columns |= dict.fromkeys(NAMES[1:], columns["other"])
    pa.parquet.write_table(pa.table(columns), folder / "gold" / "hostile.parquet")
    settings = settings_in(folder)
    refreshed(settings)
    return Client(make_front(settings))


def rows(client, pairs):
    """Give the texts of the rows that fit, or None where the question was refused."""
    answer = client.get(f"{HOSTILE}/rows?{urlencode([*pairs, ('limit', 10_000)])}")
    check(answer, repr(pairs))
    return [row["text"] for row in answer.json["data"]] if answer.status_code == 200 else None


def check(answer, sent):
    """Fail where it is a fault, or tells what was not sent."""
    assert answer.status_code < 500, (sent, answer.text)
    if answer.status_code >= 400:
        assert answer.mimetype == "application/problem+json", sent
        assert leaks(answer.text, sent + json.dumps(sent) + answer.request.path) == [], sent
    assert not {"X-Evil", "Set-Cookie"} & {name for name, _ in answer.headers}


def fitting(holds):
    return sorted(row["text"] for row in ROWS if holds(row))


def as_value_of_text(client, text):
    """As a value of a text column: any text at all is one."""
    asked = {
        "text": lambda cell: cell == text,
        "text__ne": lambda cell: cell != text,
        "text__gt": lambda cell: cell > text,
        "text__lte": lambda cell: cell <= text,
        "text__contains": lambda cell: text in cell,
        "text__startswith": lambda cell: cell.startswith(text),
    }
    for name, holds in asked.items():
        assert rows(client, [(name, text)]) == fitting(lambda row, h=holds: h(row["text"])), name
    for name in NAMES[1:]:
        found = rows(client, [(f"{name}__eq", text)])
        assert found == fitting(lambda row: row["other"] == text), name


def as_values(client, text):
    """In a list, split by commas or given twice."""
    parts = text.split(",")
    assert rows(client, [("text__in", text)]) == fitting(lambda row: row["text"] in parts)
    twice = [("text__not_in", text), ("text__not_in", "zz")]
    assert rows(client, twice) == fitting(lambda row: row["text"] not in {text, "zz"})


def as_value_of_others(client, text):
    """As a value of a number or a day: refused, unless it is one."""
    found = rows(client, [("n", text)])
    number = int(text) if INTEGER.fullmatch(text) and abs(len(text)) < 39 and valid(text) else None
    if number is None:
        assert found is None or text.strip("+-0123456789") == ""
    else:
        assert found == fitting(lambda row: row["n"] == number)
    found = rows(client, [("day", text)])
    known = fitting(lambda row: row["day"].isoformat() == text)
    assert found == known if re.fullmatch(r"\d{4}-\d\d-\d\d", text) and known else not found


def valid(text):
    try:
        int(text)
    except ValueError:
        return False
    return True


PARAMETERS = ("select", "sort", "group_by", "measures", "value", "cursor", "generation", "limit")
KNOWN = {*NAMES, "n", "day", "other"}
ASKED = {"group_by": "aggregate", "measures": "aggregate", "value": "series"}


def as_name(client, text):
    """As the name of a parameter, of a column, of a measure, or in the place of a cursor."""
    if rows(client, [(text, "1")]) is not None:
        name, _, operator = text.rpartition("__")
        assert text in KNOWN or name in KNOWN or text in {"limit"}, (text, operator)
    for parameter in PARAMETERS:
        address = f"{HOSTILE}/{ASKED.get(parameter, 'rows')}?{urlencode({parameter: text})}"
        answer = client.get(address)
        check(answer, address + text)
        if answer.status_code == 200 and parameter in {"select", "sort", "group_by"}:
            named = {each.lstrip("-") for each in text.split(",")} | {text}
            assert named & KNOWN or text == "", (parameter, text)
        if parameter in {"cursor", "generation"} and text not in {"1", "01", "+1"}:
            assert answer.status_code in {400, 404, 410}, (parameter, text)


def as_key(client, text):
    """As the key of one row: it is that row, or there is none."""
    answer = client.get(f"{HOSTILE}/record?{urlencode({'text': text})}")
    check(answer, text)
    known = [row for row in ROWS if row["text"] == text]
    assert answer.status_code == (200 if known else 404)
    if known:
        assert (answer.json["data"]["text"], answer.json["data"]["n"]) == (text, known[0]["n"])


def as_path(client, text):
    """As a part of a path: there is nothing, and nothing is opened."""
    once = quote(text, safe="")
    for path in (f"/{once}", f"/api/v1/datasets/{once}", f"/api/v1/datasets/{once}/rows",
                 f"{HOSTILE}/rows.{once}", f"/docs/{once}", f"{HOSTILE}/{once}"):  # fmt: skip
        answer = client.get(path)
        check(answer, path + text)
        assert answer.status_code in {400, 404} or text in {"", "."}, path


TAKING = ("If-None-Match", "Accept", "Accept-Encoding", "Range", "If-Range", "Prefer", "Origin")
TAKING += ("X-Request-Id", "User-Agent", "Cookie", "X-Forwarded-For", "Content-Type", "Host")


def as_header(client, text):
    """As a header: the answer stays what it is, or is refused."""
    address = f"{HOSTILE}/rows?limit=3"
    # No server hands on a line break inside a header.
    known, clean = client.get(address).json["data"], re.sub("[\r\n]", "", text)
    for name in TAKING:
        given = {f"HTTP_{name.upper().replace('-', '_')}": clean.encode().decode("latin-1")}
        answer = client.get(address, environ_overrides=given)
        check(answer, text)
        assert answer.status_code in {200, 304, 400, 406}, (name, text)
        if answer.status_code == 200 and "Content-Encoding" not in answer.headers:
            assert answer.json["data"] == known


WAYS = (as_value_of_text, as_values, as_value_of_others, as_name, as_key, as_path, as_header)


@pytest.mark.timeout(1800)
def test_hostile_names_and_values_give_what_plain_python_gives(client, soak):
    # Each of the lists, and some mixtures of them.
    count, asked = 5_000 if soak else 320, Counter()
    for text in corpus(count):
        for way in WAYS:
            way(client, text)
            asked[way.__name__] += 1
    assert set(asked.values()) == {count}


@pytest.mark.parametrize("escaped", ["%ff", "%c0%ae", "%ed%a0%80", "%f5%80%80%80", "%80", "%C3"])
def test_what_is_not_utf8_is_refused_wherever_it_stands(client, escaped):
    asked = ("rows?text={}", "rows?{}=1", "rows?sort={}", "record?text={}")
    for address in (f"{HOSTILE}/{each.format(escaped)}" for each in asked):
        answer = client.get(address)
        check(answer, address)
        assert answer.status_code == 400, address


def test_a_value_of_any_length_is_answered_or_refused(client):
    for length in (1_000, 8_000, 8_192, 100_000):
        assert rows(client, [("text", "'" * length)]) in ([], None)
