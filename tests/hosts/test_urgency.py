"""Who owes an answer goes first."""

from __future__ import annotations

import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.urgency import LONG_NS, SHORT_NS, SILENT_MS, Urgency, ask_for_turns
from records.events import CallerStarted, CallerStopped, CallEvent, Heard, ReplyStarted

pytestmark = pytest.mark.unit

BEGAN, STOPPED = CallerStarted(at_ms=1, interrupts=False), CallerStopped(at_ms=1)
HEARD, ANSWERED = Heard(at_ms=1, text="hello", final=False), ReplyStarted(at_ms=1)
EVENTS: list[CallEvent] = [BEGAN, STOPPED, HEARD, ANSWERED]
SILENCES = st.sampled_from([0.0, SILENT_MS - 1, SILENT_MS, 500.0])


@given(st.lists(st.one_of(st.sampled_from(EVENTS), SILENCES)))
def test_turns_are_short_while_the_caller_waits_for_an_answer(
    happens: list[CallEvent | float],
) -> None:
    asked: list[int] = []
    urgency = Urgency(lambda of_ns: asked.append(of_ns) or True)
    last: CallEvent = ANSWERED
    silent = False
    for it in happens:
        if isinstance(it, float | int):
            silent = it >= SILENT_MS
            urgency.silent(it)
        else:
            last = last if it is HEARD else it
            urgency.heed(it)
        waits = last is STOPPED or (last is BEGAN and silent)
        assert asked[-1] == (SHORT_NS if waits else LONG_NS)
    # Nothing is asked for twice.
    assert all(a != b for a, b in pairwise(asked))


def test_a_kernel_that_refuses_is_not_asked_again() -> None:
    asked: list[int] = []
    urgency = Urgency(lambda of_ns: bool(asked.append(of_ns)))
    for event in (BEGAN, STOPPED, ANSWERED):
        urgency.heed(event)
    assert asked == [LONG_NS]


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="needs Linux")
def test_nothing_else_of_a_threads_scheduling_changes() -> None:
    seen: list[tuple[int, int, bool]] = []

    def look() -> None:
        agreed = [ask_for_turns(of_ns) for of_ns in (SHORT_NS, LONG_NS)]
        policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
        seen.append((policy, nice, len(set(agreed)) == 1))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), True)]
