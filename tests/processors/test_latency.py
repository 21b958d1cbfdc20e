"""A turn is what was heard, what was answered, and the gap between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.latency import BEGAN_MS, SETTLED_MS, Turns
from records.ear import Answer, BargeIn, CutIn
from records.events import BargedIn, Turn
from records.events import CutIn as CutInEvent

pytestmark = pytest.mark.unit

BUDGET_MS = 800
NOW_MS = 100


def asked(words: str = "hello", *, budget_ms: int = BUDGET_MS) -> Turns:
    turns = Turns(budget_ms)
    turns.caller_started(NOW_MS)
    turns.heard(words, NOW_MS)
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
    assert turns.heard("i would like", NOW_MS) == "i would like"
    assert turns.so_far("an app", NOW_MS) == "i would like an app"
    assert turns.heard("an appointment", NOW_MS) == "i would like an appointment"


def test_an_interruption_begins_a_new_turn() -> None:
    turns = asked("first")
    turns.sound(1300, filler=False)
    turns.caller_started(NOW_MS)
    assert turns.so_far("sec", NOW_MS) == "sec"
    assert turns.heard("second", NOW_MS) == "second"
    first = ended(turns, "An answer")
    turns.timeline.mark("committed", 2500)
    turns.sound(3000, filler=False)
    second = ended(turns, "Another")
    assert (first.heard, second.heard, second.index) == ("first", "second", 2)
    assert second.ear_ms is None


def test_a_transcript_may_come_when_its_answer_is_heard() -> None:
    turns = Turns()
    turns.caller_started(NOW_MS)
    turns.so_far("hell", NOW_MS)
    turns.timeline.mark("committed", 1000)
    turns.sound(1300, filler=False)
    turns.heard("hello", NOW_MS)
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


def answering(words: str = "first") -> Turns:
    """The bot is heard in its answer, 600 ms after the caller."""
    turns = asked(words)
    turns.sound(1300, filler=False)
    turns.ear(Answer(700, 1300), 1300)
    return turns


@pytest.mark.parametrize("told_after", [False, True])
def test_a_word_of_assent_is_no_part_of_the_next_turn(told_after: bool) -> None:
    turns = answering()
    if told_after:
        turns.not_meant()
    turns.so_far("ri", 2000)
    turns.heard("right", 2350)
    if not told_after:
        turns.not_meant()
    assert ended(turns).heard == "first"
    turns.sound(9000, filler=False)
    turns.reply_ended("Are you still there?")
    assert turns.due(10_000) is None
    turns.caller_started(11_000)
    assert turns.heard("second", 11_500) == "second"


def test_words_after_a_word_of_assent_begin_a_turn_if_they_come_with_it() -> None:
    turns = answering()
    turns.not_meant()
    assert turns.heard("right", 2350) == "right"
    assert turns.heard("stop", 2900) == "stop"
    turns.caller_started(2900 + BEGAN_MS)
    assert turns.heard("please", 3500) == "stop please"


def test_a_word_of_assent_before_the_answer_is_no_part_of_its_turn() -> None:
    turns = asked("first")
    turns.not_meant()
    turns.heard("okay", 1500)
    turns.sound(2000, filler=False)
    assert ended(turns).heard == "first"


def test_a_turns_own_late_words_are_kept_after_a_cough() -> None:
    turns = Turns()
    turns.caller_started(100)
    turns.so_far("hell", 500)
    turns.timeline.mark("committed", 1000)
    turns.not_meant()
    turns.heard("hello", 1400)
    turns.sound(2000, filler=False)
    assert ended(turns).heard == "hello"


def test_a_reply_that_goes_on_after_a_pause_is_neither_cut_off_nor_an_answer() -> None:
    turns = answering()
    turns.not_meant()
    assert turns.ear(BargeIn(4000, 4100), 4660) is None
    assert turns.ear(Answer(4400, 4620), 4670) is None
    assert turns.ear(CutIn(4620, 4700), 4900) is None
    turn = ended(turns)
    assert (turn.ear_ms, turn.answer_ms, turn.over_ms) == (600, 600, 0)


def test_a_reply_that_cut_in_and_goes_on_after_a_pause_has_no_wait() -> None:
    turns = asked()
    turns.sound(1300, filler=False)
    assert turns.ear(CutIn(1300, 1400), 1650) == CutInEvent(at_ms=1650, caller_more_ms=100)
    turns.not_meant()
    turns.ear(Answer(4400, 4620), 4670)
    assert ended(turns).ear_ms is None


def test_a_barge_in_is_told_when_a_turn_was_begun_over_the_bot() -> None:
    turns = answering()
    turns.caller_started(2000, interrupts=True)
    # A breath while the bot thinks of its next answer.
    turns.not_meant()
    assert turns.ear(BargeIn(1800, 2040), 3040) == BargedIn(at_ms=3040, stop_ms=240)
    assert turns.ear(BargeIn(5000, 5100), 6000) is None


def test_an_interruption_that_no_ear_heard_makes_the_next_pause_no_barge_in() -> None:
    turns = answering()
    turns.caller_started(2000, interrupts=True)
    turns.reply_ended("H")
    turns.timeline.mark("committed", 2500)
    turns.sound(3000, filler=False)
    turns.ear(Answer(2400, 3000), 3050)
    assert turns.ear(BargeIn(4000, 4100), 4660) is None


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(200, 900)), max_size=5))
def test_no_pause_changes_the_wait(pauses: list[tuple[int, int]]) -> None:
    turns = answering()
    now_ms = 1300
    for spoken_ms, paused_ms in pauses:
        end_ms = now_ms + 300 + spoken_ms
        now_ms = end_ms + paused_ms
        turns.not_meant()
        assert turns.ear(BargeIn(end_ms - 100, end_ms), now_ms) is None
        assert turns.ear(Answer(now_ms - 200, now_ms), now_ms) is None
    assert ended(turns).ear_ms == 600


def test_who_goes_on_before_the_answer_is_timed_anew() -> None:
    turns = asked("i would like")
    turns.sound(1700, filler=True)
    turns.ear(Answer(0, 700), 1)
    turns.caller_started(NOW_MS)
    turns.heard("an appointment", NOW_MS)
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
