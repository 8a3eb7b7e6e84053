"""What the engine works on lets others go first, its own threads too."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import get_native_id

import pytest

from app.engine.patient import patiently
from app.query import Query, compile_query

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority")


def priority(thread=0):
    return os.getpriority(os.PRIO_PROCESS, thread)


def others_of_lower_priority():
    others = set()
    for task in Path("/proc/self/task").iterdir():
        # Engines of other tests may be ending theirs.
        with suppress(ProcessLookupError):
            if priority(int(task.name)) > priority():
                others.add(int(task.name))
    return others


def test_the_work_has_a_lower_priority_and_who_asks_for_it_has_not():
    before = priority()
    assert patiently(priority) == min(before + 5, 19)
    assert (priority(), patiently(get_native_id) == get_native_id()) == (before, False)


def test_what_the_work_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        patiently(divmod, 1, 0)


def test_the_threads_of_an_engine_have_it_too(bench):
    dataset, table = bench.load({"k": range(10)})
    before = others_of_lower_priority()
    engine = bench.engine((dataset, table))
    assert engine.limits.threads > 1
    assert len(others_of_lower_priority() - before) >= engine.limits.threads - 1
    assert len(engine.run(compile_query(Query(dataset)))) == 10
