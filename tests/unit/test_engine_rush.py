"""A rush: no thread interrupts another while the next request is there each time already."""

import os
import subprocess
import sys
from threading import Event, Thread, get_native_id

import pytest

from app.engine.rush import Rush

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a policy of a thread is Linux's")
AT_ONCE, LATER = 0.000_01, 0.000_2
IN_BATCH = """
import os
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
from app.engine.rush import Rush
rush = Rush()
rush.taken(0)
assert rush.look() and not rush.look()
print(os.sched_getscheduler(0) == os.SCHED_BATCH)
"""


@pytest.fixture
def rush():
    rush = Rush()
    yield rush
    rush.look()


@pytest.fixture
def other():
    """Another thread of this process, that lets others go first."""
    started, ends, ids = Event(), Event(), []

    def live():
        os.setpriority(os.PRIO_PROCESS, 0, 5)
        ids.append(get_native_id())
        started.set()
        ends.wait()

    thread = Thread(target=live)
    thread.start()
    started.wait()
    yield ids[0]
    ends.set()
    thread.join()


@LINUX
def test_in_a_rush_no_thread_interrupts_another_and_each_keeps_its_priority(rush, other):
    def policies():
        return {os.sched_getscheduler(thread) for thread in (0, other)}

    own = os.getpriority(os.PRIO_PROCESS, 0)
    for takings, policy in [
        ((AT_ONCE, LATER), os.SCHED_OTHER),
        ((AT_ONCE, LATER, AT_ONCE), os.SCHED_BATCH),
        ((AT_ONCE,), os.SCHED_BATCH),
        ((LATER, AT_ONCE, LATER), os.SCHED_OTHER),
        ((AT_ONCE,), os.SCHED_BATCH),
        ((), os.SCHED_OTHER),
    ]:
        for after in takings:
            rush.taken(after)
        assert rush.look() == (policy == os.SCHED_BATCH)
        assert policies() == {policy}
        assert os.getpriority(os.PRIO_PROCESS, other) == 5
        assert os.getpriority(os.PRIO_PROCESS, 0) == own


@LINUX
def test_a_process_that_was_started_under_another_policy_keeps_it():
    words = [sys.executable, "-c", IN_BATCH]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
