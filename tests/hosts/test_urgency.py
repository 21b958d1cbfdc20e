"""Who owes an answer goes first, and who speaks before those who only listen."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.urgency import (
    CROWDED,
    PATIENT_MS,
    PRIORITIES,
    ROOMY,
    SILENT_MS,
    Rank,
    Urgency,
    may_take_real_time,
    take_rank,
)
from records.events import (
    CallEnded,
    CallerStarted,
    CallerStopped,
    CallEvent,
    Failed,
    FalseStop,
    Heard,
    ReplyEnded,
    ReplyStarted,
)

pytestmark = pytest.mark.unit

T = TypeVar("T")

BEGAN, STOPPED = CallerStarted(at_ms=1, interrupts=False), CallerStopped(at_ms=1)
HEARD, ANSWERED = Heard(at_ms=1, text="hello", final=False), ReplyStarted(at_ms=1)
SILENCED = ReplyEnded(at_ms=1, spoken="", cut="", interrupted=False)
EVENTS: list[CallEvent] = [BEGAN, STOPPED, HEARD, ANSWERED, SILENCED]
SILENCES = st.sampled_from([0.0, SILENT_MS - 1, SILENT_MS, 500.0])


@given(st.lists(st.one_of(st.sampled_from(EVENTS), SILENCES)))
def test_who_is_waited_for_goes_before_who_speaks_and_they_before_the_rest(
    happens: list[CallEvent | float],
) -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    turn: CallEvent = ANSWERED
    silent = speaks = False
    for it in happens:
        if isinstance(it, float | int):
            silent = it >= SILENT_MS
            urgency.silent(it)
        else:
            turn = it if it in (BEGAN, STOPPED, ANSWERED) else turn
            speaks = it is ANSWERED or (speaks and it is not SILENCED)
            urgency.heed(it)
        waits = turn is STOPPED or (turn is BEGAN and silent)
        assert taken[-1] == (Rank.OWES if waits else Rank.SPEAKS if speaks else Rank.LISTENS)
    assert taken[0] == Rank.RESTS
    # Nothing is asked for twice.
    assert all(a != b for a, b in pairwise(taken))


@pytest.mark.parametrize(
    "what",
    [
        Failed(at_ms=1, code="server", message="No."),
        FalseStop(at_ms=1, paused_ms=1, why="noise"),
        PATIENT_MS,
    ],
)
def test_an_answer_that_will_not_come_is_not_hurried_for(what: CallEvent | float) -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    urgency.heed(STOPPED)
    urgency.silent(what) if isinstance(what, float | int) else urgency.heed(what)
    assert taken == [Rank.RESTS, Rank.OWES, Rank.LISTENS]


@given(st.lists(st.floats(0, 1), min_size=10))
def test_who_listens_on_a_full_core_leaves_it_to_those_that_speak(parts: list[float]) -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    urgency.heed(SILENCED)
    for part in parts:
        urgency.waited(part)
    assert set(taken) <= {Rank.LISTENS, Rank.RESTS}
    for part, rank in ((1.0, Rank.RESTS), ((CROWDED + ROOMY) / 2, Rank.RESTS), (0.0, Rank.LISTENS)):
        for _ in range(20):
            urgency.waited(part)
        assert taken[-1] is rank


def test_a_short_wait_for_the_core_changes_nothing() -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    urgency.heed(SILENCED)
    for part in (1.0, 0.2, 0.0, 0.0, 0.0, 0.0) * 5:
        urgency.waited(part)
    assert taken == [Rank.RESTS, Rank.LISTENS]


def test_who_speaks_or_owes_an_answer_does_not_step_back() -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    for _ in range(20):
        urgency.waited(1.0)
    for event in (STOPPED, ANSWERED, SILENCED):
        urgency.heed(event)
        urgency.waited(1.0)
    back = [Rank.RESTS, Rank.LISTENS, Rank.RESTS]
    assert taken == [*back, Rank.OWES, Rank.SPEAKS, Rank.RESTS]
    urgency.over()
    urgency.waited(0.0)
    assert taken[-1] is Rank.RESTS


@pytest.mark.parametrize("told", [True, False])
def test_a_call_that_is_over_is_in_no_hurry_whatever_comes(told: bool) -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: taken.append(rank) or True)
    urgency.heed(ANSWERED)
    urgency.heed(CallEnded(at_ms=1, reason="idle")) if told else urgency.over()
    urgency.heed(STOPPED)
    assert [taken[0], taken[1], taken[-1]] == [Rank.RESTS, Rank.SPEAKS, Rank.RESTS]


def test_a_kernel_that_refuses_is_not_asked_again() -> None:
    taken: list[Rank] = []
    urgency = Urgency(lambda rank: bool(taken.append(rank)))
    for event in (BEGAN, STOPPED, ANSWERED):
        urgency.heed(event)
    assert taken == [Rank.RESTS]


def in_a_thread(work: Callable[[], T]) -> T:
    """What came of it; the tests' own thread is scheduled as before."""
    came: list[T] = []
    thread = threading.Thread(target=lambda: came.append(work()))
    thread.start()
    thread.join()
    return came[0]


def scheduled() -> tuple[int, int]:
    """Policy and real-time priority of this thread."""
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    return policy, os.sched_getparam(0).sched_priority


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@needs_linux
def test_a_rank_is_a_real_time_priority_where_that_is_allowed() -> None:
    def look() -> list[tuple[int, int]]:
        return [scheduled() for rank in (*Rank, Rank.RESTS) if take_rank(rank)]

    if not may_take_real_time():
        pytest.skip("needs the right to real-time priority (RLIMIT_RTPRIO of 2, or root)")
    usual = (os.SCHED_OTHER, 0)
    real_time = [(os.SCHED_RR, priority) for priority in (1, 2, 2)]
    assert in_a_thread(look) == [usual, *real_time, usual]


@needs_linux
def test_threads_and_processes_of_a_call_have_no_priority_of_theirs() -> None:
    def look() -> tuple[int, int]:
        take_rank(Rank.OWES)
        return in_a_thread(scheduled)

    assert in_a_thread(look) == (os.SCHED_OTHER, 0)


LACKING = """
import os, resource
from hosts.urgency import Rank, may_take_real_time, take_rank
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0:
    os.setuid(65_534)
nice = os.getpriority(os.PRIO_PROCESS, 0)
seen = [(take_rank(rank), os.sched_getparam(0).sched_priority) for rank in (*Rank, Rank.RESTS)]
print(may_take_real_time(), len({agreed for agreed, _ in seen}), max(top for _, top in seen))
print(os.getpriority(os.PRIO_PROCESS, 0) == nice)
"""

SPINNING = """
import os, time
from hosts.urgency import Rank, bound_stretches, take_rank
bound_stretches(to_the_end=TO_THE_END)
spun = []
for _ in range(7):
    take_rank(Rank.OWES)
    PAUSE
    since_secs = time.thread_time()
    while os.sched_getparam(0).sched_priority:
        pass
    spun.append(time.thread_time() - since_secs)
print(max(spun) < 1.4)
"""
"""Seven times, as each moves the kernel's bound, and counts on where nothing was slept."""


def printed(script: str) -> list[str]:
    """The words that a process of its own prints."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@needs_linux
def test_who_may_not_have_it_keeps_to_what_needs_no_right() -> None:
    assert printed(LACKING) == ["False", "1", "0", "True"]


def test_who_may_have_the_lower_ranks_alone_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def schedule(wanted: Any) -> bool:
        asked.append(wanted.priority)
        return wanted.priority < PRIORITIES[Rank.OWES]

    monkeypatch.setattr("hosts.urgency._schedule", schedule)
    for rank in Rank:
        take_rank(rank)
    assert set(asked) == {0, PRIORITIES[Rank.OWES]}


@needs_linux
@pytest.mark.parametrize("to_the_end", [True, False])
@pytest.mark.parametrize("pause", ["time.sleep(0.001)", ""])
def test_who_computes_for_too_long_loses_their_rank_each_time(to_the_end: bool, pause: str) -> None:
    script = SPINNING.replace("TO_THE_END", str(to_the_end)).replace("PAUSE", pause or "pass")
    assert printed(script) == ["True"]
