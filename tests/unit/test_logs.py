"""One event, one line of JSON."""

import io
import json
import logging
import os
import random
import subprocess
import sys
import textwrap
import time
from collections import UserDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from granian.log import LogLevels, configure_logging

from app.access import new_key
from app.logs import GatheredLines, configure_logs, server_logging

ROOT = Path(__file__).parents[2]
log = structlog.get_logger()


@pytest.fixture
def stream():
    """Give a stream that is logged to at level debug; afterwards all is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("debug", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def without_pytest(stream):
    """Configure once more, without pytest's own handlers, which some records break."""
    configure_logs("info", stream)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_time_level_and_fields(stream):
    log.info("generation committed", generation=41, datasets=["a"], took_ms=9.5, by=None)
    (line,) = lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["timestamp"].endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("timestamp"))).seconds < 60
    assert line == {
        "level": "info", "event": "generation committed",
        "generation": 41, "datasets": ["a"], "took_ms": 9.5, "by": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_a_level_leaves_out_what_is_less_important(stream, level, count):
    configure_logs(level, stream)
    for logger in (log, logging.getLogger("other")):
        logger.debug("a")
        logger.info("b")
        logger.warning("c")
        logger.error("d")
    assert len(lines(stream)) == 2 * count


def test_an_unknown_level_is_refused():
    with pytest.raises(KeyError):
        configure_logs("loud")


def test_a_thousand_injections_give_exactly_a_thousand_lines(stream):
    without_pytest(stream)
    signs = [
        "\r",
        "\n",
        "\r\n",
        "\x1b[2J",
        "\u2028",
        "\u2029",
        "\x85",
        "\x00",
        "\ud800",
        '"}\n{"a":"',
        "\x0b",
    ]
    chance = random.Random(1)
    for _ in range(500):
        text = "x".join(chance.choices(signs, k=5)) * chance.choice([1, 1, 1, 20_000])
        log.info(text, field=text, nested={text: [text]}, other=ValueError(text))
        logging.getLogger("other").info("%s", text)
    written = stream.getvalue()
    assert written.isascii()
    assert written.count("\n") == len(lines(stream)) == 1_000
    assert not set(written) - {"\n"} & {chr(code) for code in range(32)}
    assert max(map(len, written.split("\n"))) < 100_000


class Silent:
    def __str__(self):
        raise RuntimeError


class Broken(UserDict):
    def items(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 3_000, "x" * 2_045 + "…"),
        ("€" * 3_000, "€" * 681 + "…"),
        ("x" * 2_048, "x" * 2_048),
        (float("nan"), None),
        ([float("inf"), list(range(999))], ["inf", list(range(50))]),
        (True, True),
        (10**100, "a number of 333 bits"),
        (b"\xff", r"b'\xff'"),
        ({1: {2}}, {"1": [2]}),
        ([[[[[[1]]]]]], [[[[[[1]]]]]]),
        ([[[[[[1]]]]], list(range(999))], [[[["[[1]]"]]], list(range(50))]),
        (list(range(99)), list(range(99))),
        (list(range(999)), list(range(50))),
        (Silent(), "<Silent>"),
        (Broken(), "<Broken>"),
        (Path("a"), "a"),
    ],
)
def test_a_field_becomes_json_of_at_most_two_kilobytes(stream, value, expected):
    log.info("event", field=value)
    assert lines(stream)[0]["field"] == expected


@pytest.mark.parametrize("text", ["{}", "é{}", "{}\n"])
def test_a_key_is_left_out_and_what_stands_for_it_is_ascii_too(text):
    key, _ = new_key("canary", "read")
    raw = io.BytesIO()
    configure_logs("info", io.TextIOWrapper(raw, encoding="ascii"))
    log.info("event", short=text.format(key), long=text.format(key) + "x" * 300, **{key: 1})
    written = raw.getvalue().decode("ascii")
    told = json.loads(written)
    assert key[-6:] not in written
    assert told["short"] == text.format(f"assay_{key.split('_')[1]}_…")


def test_a_large_list_becomes_a_text_that_is_cut(stream):
    log.info("event", field=["x" * 100] * 50)
    assert len(lines(stream)[0]["field"].encode()) <= 2_048


@pytest.mark.parametrize("form", ["log", "instance", "standard"])
def test_an_exception_is_one_field_and_its_traceback_another(stream, form):
    try:
        int("bad\nvalue")
    except ValueError as error:
        if form == "log":
            log.exception("refresh failed")
        elif form == "instance":
            log.warning("refresh failed", exc_info=error)
        else:
            logging.getLogger("other").exception("refresh failed")
    (line,) = lines(stream)
    assert line["error"].startswith("ValueError: invalid literal")
    assert line["traceback"].startswith("Traceback")
    assert line["traceback"].endswith(line["error"] + "\n")
    assert "exc_info" not in line


def test_of_a_long_traceback_the_end_is_kept(stream):
    log.error("failed", exc_info=ValueError("€" * 5_000 + "end"))
    assert lines(stream)[0]["traceback"].endswith("€end\n")


def test_without_an_exception_there_is_no_such_field(stream):
    log.error("failed", exc_info=True)
    assert "error" not in lines(stream)[0]


def test_lines_of_the_standard_library_take_the_same_way(stream):
    logging.getLogger("some.library").warning("%s rows", 7)
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "7 rows", "some.library")


def test_lines_of_the_http_server_take_the_same_way(stream, capfd):
    configure_logging(LogLevels.info, server_logging())
    logging.getLogger("_granian").info("Starting")
    configure_logging(LogLevels.info)
    configure_logs("info", stream)
    logging.getLogger("_granian").info("Started")
    assert [line["event"] for line in lines(stream)] == ["Starting", "Started"]
    assert capfd.readouterr() == ("", "")


def test_a_record_that_does_not_fit_its_arguments_is_still_a_line(stream):
    without_pytest(stream)
    logging.getLogger("other").info("%d", "seven")
    (line,) = lines(stream)
    assert (line["event"], line["logger"]) == ("log record not readable", "other")


def test_fields_bound_to_a_request_are_in_its_lines(stream):
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("request")
    log.info("later")
    assert [line.get("request_id") for line in lines(stream)] == ["r-1", None]


def test_a_stream_that_is_gone_costs_the_line_and_nothing_else(stream):
    stream.close()
    log.info("event")
    logging.getLogger("other").info("event")


@pytest.mark.usefixtures("stream")
def test_without_a_stream_lines_go_to_standard_error(capsys):
    configure_logs("info")
    log.info("event")
    written = capsys.readouterr()
    assert written.out == ""
    assert json.loads(written.err)["event"] == "event"


def numbers(lines):
    return [json.loads(line)["number"] for line in lines]


def test_lines_are_gathered_and_each_is_written_once_by_whichever_thread(tmp_path):
    told = tmp_path / "log"
    with told.open("w", encoding="utf-8") as stream, ThreadPoolExecutor(8) as threads:
        lines = GatheredLines(stream)
        list(threads.map(lines.put, [{"number": number} for number in range(30_000)]))
        lines.write_out()
        assert sorted(numbers(told.read_text().splitlines())) == [*range(30_000)]
        # What comes later needs nobody to ask for it.
        lines.put({"number": "last"})
        until = time.monotonic() + 5
        while "last" not in told.read_text() and time.monotonic() < until:
            time.sleep(0.005)
        assert told.read_text().endswith('"last"}\n')


def test_gathered_lines_are_written_in_whole_and_short_pieces():
    pieces = []

    class Stream(io.StringIO):
        def write(self, text):
            pieces.append(text)
            return len(text)

    lines = GatheredLines(Stream())
    for size in (10, 2_000, 100, 1_990, 1_000, 1, 1_500):
        lines.put({"text": "x" * size, "more": ["x" * 50] * (size // 80)})
    lines.write_out()
    assert "".join(pieces).count("\n") == 7
    assert all(piece.endswith("\n") for piece in pieces)
    assert all(len(piece) <= 4_096 or piece.count("\n") == 1 for piece in pieces)


def test_gathered_lines_are_written_before_the_process_exits():
    code = """
        import sys, structlog
        from app.logs import GatheredLines, configure_logs
        configure_logs("info", sys.stdout, GatheredLines)
        for number in range(500):
            structlog.get_logger().info("told", number=number)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert numbers(told.splitlines()) == [*range(500)]


def test_who_reads_the_log_slowly_keeps_nobody_waiting():
    receiving, sending = os.pipe()
    with os.fdopen(receiving) as reader, ThreadPoolExecutor(1) as threads:
        with os.fdopen(sending, "w") as stream:
            lines = GatheredLines(stream)
            started = time.monotonic()
            # Many times what a pipe holds, and nobody reads.
            for number in range(9_000):
                lines.put({"number": number, "text": "x" * 200})
            assert time.monotonic() - started < 5
            told = threads.submit(reader.readlines)
            lines.write_out()
        assert numbers(told.result()) == [*range(9_000)]
