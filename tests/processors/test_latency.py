"""A turn is what was heard, what was answered, and the gap between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.latency import SETTLED_MS, Turns
from records.ear import Answer, BargeIn, CutIn
from records.events import BargedIn, Turn
from records.events import CutIn as CutInEvent

pytestmark = pytest.mark.unit

BUDGET_MS = 800


def asked(words: str = "hello", *, budget_ms: int = BUDGET_MS) -> Turns:
    turns = Turns(budget_ms)
    turns.caller_started()
    turns.heard(words)
    turns.timeline.mark("committed", 1000)
    return turns


def ended(turns: Turns, spoken: str = "Hi.") -> Turn:
    turns.reply_ended(spoken)
    turn = turns.due(5000)
    assert turn is not None
    return turn


def spent(turn: Turn) -> dict[str, int]:
    return {part.stage: part.ms for part in turn.parts}


def test_a_greeting_is_no_turn() -> None:
    turns = Turns()
    turns.sound(100, filler=False)
    turns.reply_ended("Good morning.")
    assert turns.due(10) is None


def test_an_exchange_is_one() -> None:
    turns = asked()
    turns.breakdown([("llm_inference", 0.4)])
    turns.sound(1300, filler=False)
    turns.ear(Answer(0, 600), 1)
    turn = ended(turns)
    assert (turn.index, turn.heard, turn.answered, turn.ear_ms) == (1, "hello", "Hi.", 600)
    assert (turn.answer_ms, turn.filler_ms, turn.speculated) == (600, None, False)
    assert spent(turn) == {"llm": 400, "transport": 200}


def test_segments_of_one_turn_are_joined() -> None:
    turns = Turns()
    assert turns.heard("i would like") == "i would like"
    assert turns.so_far("an app") == "i would like an app"
    assert turns.heard("an appointment") == "i would like an appointment"


def test_an_interruption_begins_a_new_turn() -> None:
    turns = asked("first")
    turns.sound(1300, filler=False)
    turns.caller_started()
    assert turns.so_far("sec") == "sec"
    assert turns.heard("second") == "second"
    first = ended(turns, "An answer")
    turns.timeline.mark("committed", 2500)
    turns.sound(3000, filler=False)
    second = ended(turns, "Another")
    assert (first.heard, second.heard, second.index) == ("first", "second", 2)
    assert second.ear_ms is None


def test_a_transcript_may_come_when_its_answer_is_heard() -> None:
    turns = Turns()
    turns.caller_started()
    turns.so_far("hell")
    turns.timeline.mark("committed", 1000)
    turns.sound(1300, filler=False)
    turns.heard("hello")
    assert ended(turns).heard == "hello"


def test_a_held_reply_is_told_by_its_own_times_and_not_by_pipecats() -> None:
    turns = asked()
    turns.timeline.request(early=True)
    turns.timeline.mark("voiced", 900)
    turns.timeline.mark("released", 1010)
    turns.breakdown([("llm_inference", 0.2), ("pipeline", 5.0)])
    turns.sound(1020, filler=False)
    turns.ear(Answer(400, 1000), 1)
    turn = ended(turns)
    assert turn.speculated
    assert spent(turn) == {"endpointing": 580, "transport": 10, "own": 10}


def test_an_early_request_in_vain_is_not_told_by_pipecats_times_either() -> None:
    turns = asked()
    turns.timeline.request(early=True)
    turns.timeline.request(early=False)
    turns.timeline.mark("clause", 1200)
    turns.breakdown([("pipeline", 5.0)])
    turns.sound(1200, filler=False)
    turns.ear(Answer(0, 1200), 1)
    turn = ended(turns)
    assert not turn.speculated
    assert spent(turn) == {"endpointing": 1000, "llm": 200}


def test_a_filler_is_heard_first_and_answers_nothing() -> None:
    turns = asked()
    turns.sound(1700, filler=True)
    turns.ear(Answer(0, 700), 1)
    turns.reply_ended("")
    assert turns.due(9000) is None
    turns.timeline.mark("clause", 2300)
    turns.timeline.mark("voiced", 2400)
    turns.sound(2400, filler=False)
    turn = ended(turns)
    assert (turn.ear_ms, turn.filler_ms, turn.answer_ms) == (700, 700, 1400)
    assert (turn.over_ms, turn.blame) == (600, "llm")
    assert sum(spent(turn).values()) == 1400


def test_a_cut_in_takes_the_answer_back_also_after_the_bot_fell_silent() -> None:
    turns = asked()
    turns.sound(1300, filler=False)
    turns.ear(Answer(0, 300), 1)
    turns.reply_ended("H")
    assert turns.due(2, frame_ms=1300 + SETTLED_MS - 1) is None
    assert turns.ear(CutIn(300, 420), 3) == CutInEvent(at_ms=3, caller_more_ms=120)
    turn = turns.due(4, frame_ms=1300 + SETTLED_MS)
    assert turn is not None
    assert (turn.at_ms, turn.ear_ms, turn.answer_ms, turn.over_ms) == (4, None, None, 0)


def test_a_word_of_assent_is_no_part_of_the_next_turn() -> None:
    turns = asked("first")
    turns.sound(1300, filler=False)
    turns.heard("right")
    turns.not_meant()
    ended(turns)
    turns.sound(9000, filler=False)
    turns.reply_ended("Are you still there?")
    assert turns.due(10_000) is None
    turns.caller_started()
    assert turns.heard("second") == "second"


def test_a_barge_in_is_told_at_once() -> None:
    assert Turns().ear(BargeIn(1000, 1240), 7) == BargedIn(at_ms=7, stop_ms=240)


def test_who_goes_on_before_the_answer_is_timed_anew() -> None:
    turns = asked("i would like")
    turns.sound(1700, filler=True)
    turns.ear(Answer(0, 700), 1)
    turns.caller_started()
    turns.heard("an appointment")
    turns.timeline.mark("committed", 4000)
    turns.sound(4500, filler=False)
    turn = ended(turns)
    assert (turn.heard, turn.filler_ms, turn.ear_ms) == ("i would like an appointment", None, None)


@given(st.integers(1, 5000), st.floats(0, 8000), st.none() | st.floats(0, 3000))
def test_blame_is_laid_only_over_the_budget(
    budget_ms: int, answer_ms: float, filler_ms: float | None
) -> None:
    turns = asked(budget_ms=budget_ms)
    first_ms = answer_ms if filler_ms is None else min(filler_ms, answer_ms)
    if filler_ms is not None:
        turns.sound(first_ms, filler=True)
    turns.sound(answer_ms, filler=False)
    turns.ear(Answer(0, first_ms), 1)
    turn = ended(turns)
    assert turn.answer_ms == round(answer_ms)
    assert turn.over_ms == max(0, round(answer_ms) - budget_ms)
    assert (turn.blame is not None) == (turn.over_ms > 0)
    assert sum(part.ms for part in turn.parts) == turn.answer_ms
