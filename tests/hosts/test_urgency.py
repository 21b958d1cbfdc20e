"""Who owes an answer goes first."""

from __future__ import annotations

import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.urgency import LONG_NS, SHORT_NS, Urgency, ask_for_turns
from records.events import CallerStarted, CallerStopped, CallEvent, Heard, ReplyStarted

pytestmark = pytest.mark.unit

ASKED: list[CallEvent] = [
    Heard(at_ms=1, text="hello", final=False), Heard(at_ms=1, text="hello", final=True),
    CallerStopped(at_ms=1),
]  # fmt: skip
OTHERS: list[CallEvent] = [CallerStarted(at_ms=1, interrupts=False)]
ANSWERED: list[CallEvent] = [ReplyStarted(at_ms=1)]


@given(st.lists(st.sampled_from([*ASKED, *OTHERS, *ANSWERED])))
def test_turns_are_short_from_the_callers_words_to_the_answer(events: list[CallEvent]) -> None:
    asked: list[int] = []
    urgency = Urgency(lambda of_ns: asked.append(of_ns) or True)
    owes = False
    for event in events:
        urgency.heed(event)
        owes = event in ASKED or (owes and event not in ANSWERED)
        assert asked[-1] == (SHORT_NS if owes else LONG_NS)
    # Nothing is asked for twice.
    assert all(a != b for a, b in pairwise(asked))


def test_a_kernel_that_refuses_is_not_asked_again() -> None:
    asked: list[int] = []
    urgency = Urgency(lambda of_ns: bool(asked.append(of_ns)))
    for event in (*ASKED, *ANSWERED):
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
