"""What a question may cost: time and bytes; and that its neighbours do not notice."""

import threading
import time
from collections import deque

import pyarrow as pa
import pytest

from app.engine import Queue, Work
from app.engine.watch import Watchdog
from app.errors import AnswerTooLargeError, QuestionTooSlowError
from app.query import Measure, Query, compile_query

LATE = QuestionTooSlowError("late")
SLOW = Measure("n", "median", ("x",))


def test_a_question_that_takes_too_long_is_refused_and_the_next_one_answered(bench):
    numbers = pa.array([float(n * 7919 % 1_000_003) for n in range(3_000_000)])
    dataset, _ = loaded = bench.load({"k": range(3_000_000), "x": numbers})
    engine = bench.engine(loaded, queue=Queue(2, 2, seconds=0.05))
    slow = compile_query(Query(dataset, group_by=("k",), measures=(SLOW,), limit=5))
    started = time.monotonic()
    with pytest.raises(QuestionTooSlowError, match=r"more than 0\.05 seconds"):
        engine.run(slow)
    assert time.monotonic() - started < 5
    assert engine.run(compile_query(Query(dataset, ("k",), limit=1))).cells == [(0,)]


def test_what_is_asked_for_one_answer_has_one_limit_together(bench):
    numbers = pa.array([float(n * 7919 % 1_000_003) for n in range(200_000)])
    dataset, _ = loaded = bench.load({"k": range(200_000), "x": numbers})
    engine, work = bench.engine(loaded, queue=Queue(2, 2, seconds=1)), Work()
    asked = compile_query(Query(dataset, group_by=("k",), measures=(SLOW,), limit=5))
    answers = (engine.run(asked, work) for _ in range(1000))
    with pytest.raises(QuestionTooSlowError):
        deque(answers, maxlen=0)
    assert 1 <= work.seconds < 5
    assert len(engine.run(asked)) == 5


def test_an_answer_of_too_many_bytes_is_refused(bench):
    columns = {"k": range(900), "text": ["x" * 100_000] * 900}
    with pytest.raises(AnswerTooLargeError, match="for an export"):
        bench.ask(columns, select=("k", "text"))
    assert len(bench.ask(columns, select=("k", "text"), limit=10)) == 10


def test_a_watchdog_interrupts_only_what_is_late_and_only_while_it_lasts():
    watchdog, barked, calm = Watchdog(), [], []
    with watchdog.limit(60, lambda: calm.append(1), LATE):
        with watchdog.limit(0.01, lambda: barked.append(1), LATE) as late:
            time.sleep(0.2)
        assert late.is_set()
        known = len(barked)
        time.sleep(0.1)
    assert known > 2
    assert (len(barked), calm) == (known, [])


def test_many_questions_are_watched_by_one_thread():
    watchdog, before = Watchdog(), set(threading.enumerate())
    limits = [watchdog.limit(60, lambda: None, LATE) for _ in range(20)]
    for each in limits:
        each.__enter__()
    assert len(set(threading.enumerate()) - before) == 1
    for each in limits:
        each.__exit__(None, None, None)
