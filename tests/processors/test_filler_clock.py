"""A word is due where an answer is late, and never where it would be in somebody's way."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.filler_clock import SOON_MS, FillerClock, FillerLines

pytestmark = pytest.mark.unit

AFTER_MS = 700.0
PHRASES: tuple[str, ...] = ("Hm.", "Well.", "So.")
LOOKING = "I am looking."
LINES = FillerLines(PHRASES, {"free_slots": LOOKING}, AFTER_MS)
EVERY: tuple[str, ...] = (*PHRASES, LOOKING)
READY: dict[str, float] = dict(zip(EVERY, (500.0,) * len(EVERY), strict=True))


def committed(
    clock: FillerClock | None = None, *, ended_ms: float = 0.0, at_ms: float = 300.0
) -> FillerClock:
    """A clock in a turn that the model is at work on."""
    clock = clock or FillerClock(LINES)
    clock.caller_started()
    clock.opened()
    clock.caller_stopped(ended_ms)
    clock.committed(at_ms)
    clock.asked()
    return clock


def answered(clock: FillerClock, wait_ms: float, times: int = 1) -> FillerClock:
    """The clock after so many answers, each that late."""
    for _ in range(times):
        committed(clock)
        clock.sounded(300.0 + wait_ms, 20)
    return clock


def test_a_first_answer_that_is_late_is_bridged() -> None:
    clock = committed()
    assert clock.due() == AFTER_MS
    assert clock.take(AFTER_MS - 1, READY) is None
    assert clock.take(AFTER_MS, READY) == PHRASES[0]


def test_where_the_turn_ends_late_an_answer_begun_early_is_given_a_moment() -> None:
    clock = committed(at_ms=2000.0)
    assert clock.due() == 2000.0
    clock.asked(early=True)
    assert clock.due() == 2000.0 + SOON_MS


def test_answers_begun_early_tell_nothing_of_those_that_were_not() -> None:
    clock = answered(FillerClock(LINES), 1500)
    clock = committed(clock)
    clock.asked(early=True)
    clock.sounded(320, 20)
    assert committed(clock).due() == AFTER_MS
    clock.asked(early=True)
    assert clock.due() == AFTER_MS
    assert committed(clock, at_ms=1000).due() == 1000
    clock.asked(early=True)
    assert clock.due() == 1000 + 20 + SOON_MS


def test_an_answer_that_is_known_to_be_late_is_bridged_in_time() -> None:
    assert committed(answered(FillerClock(LINES), 1500)).due() == AFTER_MS


def test_an_answer_that_is_expected_soon_is_waited_for() -> None:
    clock = committed(answered(FillerClock(LINES), 500))
    assert clock.due() == 300 + 500 + SOON_MS


def test_one_slow_answer_does_not_count() -> None:
    clock = answered(FillerClock(LINES), 500, times=3)
    answered(clock, 5000)
    assert committed(clock).due() == 300 + 500 + SOON_MS


def test_what_the_voice_has_begun_with_is_waited_for() -> None:
    clock = committed()
    clock.voiced(650)
    assert clock.due() == 650 + SOON_MS


def test_nobody_waits_where_nothing_was_asked() -> None:
    clock = FillerClock(LINES)
    clock.committed(300)
    assert clock.due() is None
    clock.asked()
    clock.gave_up()
    assert clock.due() is None


def test_a_tool_that_runs_long_is_told_of_once() -> None:
    clock = committed()
    clock.tool_started("1", "free_slots", 500)
    assert clock.take(AFTER_MS, READY) == PHRASES[0]
    due_ms = AFTER_MS + READY[PHRASES[0]] + AFTER_MS
    assert clock.due() == due_ms
    assert clock.take(due_ms, READY) == LOOKING
    assert clock.due() is None


def test_a_tool_is_told_of_instead_where_both_are_due() -> None:
    clock = committed()
    clock.tool_started("1", "free_slots", 300)
    assert clock.take(1500, READY) == LOOKING
    assert clock.due() is None


def test_after_a_tool_the_answer_is_waited_for_anew() -> None:
    clock = committed(answered(FillerClock(LINES), 200))
    clock.tool_started("1", "price", 400)
    clock.gave_up()
    assert clock.due() == AFTER_MS
    clock.tool_ended("1", 600)
    clock.asked()
    assert clock.due() == 600 + 200 + SOON_MS


@pytest.mark.parametrize("first", ["sound", "tool"])
def test_a_tool_is_told_of_after_what_the_model_said_before_it(first: str) -> None:
    clock = committed()
    if first == "tool":
        clock.tool_started("1", "free_slots", 550)
    clock.sounded(600, 400)
    clock.sounded(620, 400)
    if first == "sound":
        clock.tool_started("1", "free_slots", 650)
    clock.gave_up()
    assert clock.due() == 600 + 800 + AFTER_MS
    assert clock.take(600 + 800 + AFTER_MS, READY) == LOOKING
    assert clock.due() is None


def test_the_silence_counts_from_the_tool_where_the_words_were_over_before() -> None:
    clock = committed()
    clock.sounded(600, 400)
    clock.tool_started("1", "free_slots", 5000)
    assert clock.due() == 5000 + AFTER_MS


def test_a_tool_without_a_sentence_has_a_phrase_after_what_was_said() -> None:
    clock = committed()
    clock.sounded(600, 400)
    clock.tool_started("1", "price", 700)
    assert clock.take(1000 + AFTER_MS, READY) == PHRASES[0]


def test_the_answer_after_the_tool_is_the_answer() -> None:
    clock = committed()
    clock.sounded(600, 400)
    clock.tool_started("1", "free_slots", 700)
    clock.tool_ended("1", 900)
    clock.asked()
    assert clock.due() is not None
    clock.sounded(1200, 400)
    assert clock.due() is None


def test_an_answer_with_a_tool_counts_as_one() -> None:
    clock = committed()
    clock.sounded(800, 400)
    clock.tool_started("1", "price", 900)
    for at_ms in (4000, 4020, 4040):
        clock.sounded(at_ms, 20)
    assert committed(clock).due() == 300 + 500 + SOON_MS


def test_the_voice_is_busy_until_the_greeting_and_then_each_answer_is_made() -> None:
    clock = FillerClock(LINES)
    assert clock.busy
    clock.made()
    assert not clock.busy
    clock.caller_started()
    assert clock.busy
    committed(clock)
    assert clock.busy
    clock.tool_started("1", "price", 400)
    clock.made()
    assert clock.busy
    clock.tool_ended("1", 900)
    assert clock.busy
    clock.asked()
    clock.made()
    assert not clock.busy


def test_a_line_without_sound_is_not_said() -> None:
    clock = committed()
    assert clock.take(AFTER_MS, {PHRASES[2]: 300.0}) == PHRASES[2]
    assert committed().take(AFTER_MS, {}) is None


def test_the_phrases_take_turns() -> None:
    clock = FillerClock(LINES)
    said = [committed(clock).take(5000, READY) for _ in range(4)]
    assert said == [*PHRASES, PHRASES[0]]


_EVENTS = (
    "started", "stopped", "opened", "committed", "asked", "gave_up", "voiced", "sounded", "tool",
    "done", "made",
)  # fmt: skip
_steps = st.lists(
    st.tuples(
        st.sampled_from(_EVENTS),
        st.integers(0, 900),
    ),
    max_size=60,
)


@dataclass
class _Story:
    """Plays any order of events, and asks the clock whenever it wants to be asked."""

    clock: FillerClock = field(default_factory=lambda: FillerClock(LINES))
    said: list[str] = field(default_factory=list[str])
    turn: list[str] = field(default_factory=list[str])
    quiet: bool = True
    waiting: bool = False
    ended_ms: float = float("-inf")
    until_ms: float = float("-inf")
    tool: bool = False
    over: bool = False

    def wait(self, now_ms: float, until_ms: float) -> None:
        for _ in range(4):
            due_ms = self.clock.due()
            if due_ms is None or due_ms > until_ms:
                return
            self.take(max(due_ms, now_ms))
        raise AssertionError("it is asked without end")

    def take(self, now_ms: float) -> None:
        line = self.clock.take(now_ms, READY)
        if line is None:
            return
        assert self.quiet
        assert self.waiting
        assert now_ms >= max(self.ended_ms, self.until_ms) + AFTER_MS
        assert [line] != self.said[-1:]
        assert sum(text in PHRASES for text in [*self.turn, line]) <= 1
        assert [*self.turn, line].count(LOOKING) <= 1
        self.said.append(line)
        self.turn.append(line)

    def step(self, name: str, now_ms: float) -> None:
        clock = self.clock
        match name:
            case "started":
                clock.caller_started()
                self.quiet = False
            case "stopped":
                clock.caller_stopped(now_ms - 200)
                self.quiet, self.ended_ms = True, now_ms - 200
            case "opened":
                clock.opened()
                self.waiting, self.turn, self.until_ms = False, [], float("-inf")
                self.tool = self.over = False
            case "sounded":
                clock.sounded(now_ms, 300)
                self.waiting = self.waiting and self.tool
                self.until_ms = max(self.until_ms, now_ms) + 300
            case "committed":
                clock.opened()
                clock.committed(now_ms)
                self.waiting, self.turn, self.until_ms = True, [], float("-inf")
                self.tool, self.over = False, True
            case "voiced":
                clock.voiced(now_ms)
            case "tool":
                clock.tool_started("1", "free_slots", now_ms)
                self.tool, self.waiting = True, self.over
            case "done":
                clock.tool_ended("1", now_ms)
                self.tool = False
            case _:
                getattr(clock, name)()


@given(_steps)
def test_nothing_is_said_at_the_wrong_time_or_twice(steps: list[tuple[str, int]]) -> None:
    story, now_ms = _Story(), 0.0
    for name, later_ms in steps:
        story.wait(now_ms, now_ms + later_ms)
        now_ms += later_ms
        story.step(name, now_ms)
