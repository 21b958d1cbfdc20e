"""An early reply waits for the end of its turn; of a withdrawn one nothing gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    AggregatedTextFrame,
    EagerEndOfTurnCancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.tests.utils import SleepFrame, run_test

from processors.reply_gate import (
    ClauseGate,
    ReplyGate,
    ReplyHold,
    ReplyWithdrawnFrame,
    Verdict,
    number_replies,
    withdrawn,
)
from processors.speculation import Speculations

pytestmark = pytest.mark.unit


def start(generation: int, *, early: bool = True) -> LLMFullResponseStartFrame:
    frame = LLMFullResponseStartFrame()
    frame.metadata |= {"generation": generation, "speculative": early}
    return frame


def sound(mark: int) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(bytes([mark, 0]) * 240, 24_000, 1)


def cancel(generation: int) -> EagerEndOfTurnCancelFrame:
    frame = EagerEndOfTurnCancelFrame()
    frame.metadata["withdrawn"] = generation
    return frame


def stop(generation: int) -> UserStoppedSpeakingFrame:
    frame = UserStoppedSpeakingFrame()
    frame.metadata["confirmed"] = generation
    return frame


async def through(gate: FrameProcessor, *frames: Frame) -> list[Frame]:
    """What comes out, given frames one after the other."""
    spaced: list[Any] = []
    for frame in frames:
        spaced += [frame, SleepFrame(0.01)]
    down, _ = await run_test(gate, frames_to_send=spaced)
    return list(down)


def heard(frames: list[Frame]) -> list[int]:
    return [frame.audio[0] for frame in frames if isinstance(frame, TTSAudioRawFrame)]


def said(frames: list[Frame]) -> list[str]:
    return [frame.text for frame in frames if isinstance(frame, AggregatedTextFrame)]


@pytest.fixture
def books() -> Speculations:
    return Speculations()


async def test_an_ordinary_reply_passes(books: Speculations) -> None:
    out = await through(ReplyGate(books), start(1, early=False), sound(1))
    assert heard(out) == [1]


async def test_an_early_reply_waits_for_the_end_of_its_turn(books: Speculations) -> None:
    gate = ReplyGate(books)
    assert heard(await through(gate, start(1), sound(1))) == []
    out = await through(ReplyGate(books), start(1), sound(1), stop(1), sound(2))
    assert heard(out) == [1, 2]
    order = [type(frame) for frame in out]
    assert order.index(UserStoppedSpeakingFrame) < order.index(LLMFullResponseStartFrame)


async def test_a_withdrawn_reply_is_never_heard_not_even_its_tail(books: Speculations) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), cancel(1), sound(2), stop(0))
    assert heard(out) == []


async def test_a_withdrawal_that_overtakes_its_reply_still_meets_it(books: Speculations) -> None:
    out = await through(ReplyGate(books), cancel(1), stop(0), start(1), sound(1))
    assert heard(out) == []


async def test_an_old_withdrawal_does_not_open_or_close_the_gate_for_a_new_reply(
    books: Speculations,
) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), start(2), cancel(1), sound(2))
    assert heard(out) == []
    out = await through(
        ReplyGate(books), start(1), sound(1), start(2), cancel(1), sound(2), stop(2), sound(3)
    )
    assert heard(out) == [2, 3]


async def test_the_end_of_a_turn_lets_out_no_reply_that_it_does_not_name(
    books: Speculations,
) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), stop(2), start(2), sound(2))
    assert heard(out) == [2]


async def test_a_verdict_that_names_nobody_changes_nothing(books: Speculations) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), EagerEndOfTurnCancelFrame(), stop(1))
    assert heard(out) == [1]


async def test_behind_the_mark_of_a_withdrawal_other_speech_passes(books: Speculations) -> None:
    out = await through(
        ReplyGate(books), start(1), sound(1), cancel(1), ReplyWithdrawnFrame(), sound(9)
    )
    assert heard(out) == [9]


async def test_an_interruption_drops_what_is_held(books: Speculations) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), InterruptionFrame(), stop(1))
    assert heard(out) == []


async def test_the_end_of_the_call_is_not_held(books: Speculations) -> None:
    out = await through(ReplyGate(books), start(1), sound(1), EndFrame())
    assert heard(out) == []


async def test_what_may_not_be_lost_survives_a_withdrawal(books: Speculations) -> None:
    kept = LLMTextFrame("kept")
    kept.interruptible = False
    out = await through(ReplyGate(books), start(1), kept, sound(1), cancel(1))
    assert kept in out
    assert heard(out) == []


async def test_words_are_timed_by_when_they_are_heard(books: Speculations) -> None:
    word, later = TTSTextFrame("hello", "word"), TTSTextFrame("there", "word")
    word.pts, later.pts = 1_000_000, 2_000_000
    await through(ReplyGate(books), start(1), sound(1), word, SleepFrame(0.1), stop(1), later)
    assert word.pts >= 100_000_000
    assert later.pts - word.pts == 1_000_000


def text(*pieces: str) -> list[Frame]:
    return [LLMTextFrame(piece) for piece in pieces]


REPLY = text("Yes, ", "we are open on Monday ", "from nine to five. ", "Do come in. ", "Good-bye. ")


async def test_of_an_early_reply_the_voice_gets_the_first_clause(books: Speculations) -> None:
    number = books.asked(early=True, now_ms=0)
    out = await through(ClauseGate(books), start(number), *REPLY)
    assert len(said(out)) == 1
    out = await through(ClauseGate(books), start(number), *REPLY, stop(number))
    assert " ".join(said(out)).startswith(
        "Yes, we are open on Monday from nine to five. Do come in."
    )


async def test_where_the_voice_would_gain_nothing_it_gets_nothing_early() -> None:
    books = Speculations(voice=False)
    number = books.asked(early=True, now_ms=0)
    assert said(await through(ClauseGate(books), start(number), *REPLY)) == []


async def test_the_rest_of_a_withdrawn_reply_does_not_begin_the_next(books: Speculations) -> None:
    first = books.asked(early=True, now_ms=0)
    books.withdrawn()
    second = books.asked(early=False, now_ms=1)
    out = await through(
        ClauseGate(books),
        start(first),
        *text("I was about to say"),
        cancel(first),
        start(second, early=False),
        *text("No. "),
        LLMFullResponseEndFrame(),
    )
    assert said(out) == ["No."]


async def test_what_a_withdrawn_reply_cost_is_in_the_books(books: Speculations) -> None:
    number = books.asked(early=True, now_ms=0)
    gate = ClauseGate(books)
    await through(gate, start(number), *REPLY)
    books.withdrawn()
    assert books.regret.characters_written == sum(len(f.text) for f in REPLY)  # type: ignore[attr-defined]
    assert 0 < books.regret.characters_voiced < books.regret.characters_written


async def test_replies_are_numbered_where_they_are_asked_for(books: Speculations) -> None:
    aggregator = IdentityFilter()
    number_replies(aggregator, books)
    asked = [LLMContextFrame(context=LLMContext(), speculation=True) for _ in range(2)]
    taken_back, over = EagerEndOfTurnCancelFrame(), UserStoppedSpeakingFrame()
    idle = EagerEndOfTurnCancelFrame()
    await through(aggregator, asked[0], taken_back, idle, asked[1], over)
    assert [frame.metadata["generation"] for frame in asked] == [1, 2]
    assert withdrawn(taken_back) == 1
    assert withdrawn(idle) is None
    assert over.metadata["confirmed"] == 2


async def test_a_verdict_that_the_model_has_named_is_not_renamed(books: Speculations) -> None:
    aggregator = IdentityFilter()
    number_replies(aggregator, books)
    asked = [LLMContextFrame(context=LLMContext(), speculation=True) for _ in range(2)]
    await through(aggregator, asked[0], cancel(1), asked[1], cancel(1))
    assert books.is_dropped(1)
    assert not books.is_dropped(2)


verdicts = st.lists(
    st.tuples(st.sampled_from(["opens", "confirm", "withdraw"]), st.integers(1, 6), st.booleans()),
    max_size=40,
)


@given(verdicts)
def test_a_reply_passes_if_it_is_late_or_confirmed_and_never_after_a_withdrawal(
    story: list[tuple[str, int, bool]],
) -> None:
    hold = ReplyHold()
    confirmed, taken_back = {0}, 0
    for move, generation, early in story:
        if move == "opens":
            hold.opens(generation, early)
        elif move == "confirm":
            hold.confirm(generation)
            confirmed.add(generation)
        else:
            hold.withdraw(generation)
            taken_back = max(taken_back, generation)
        if not hold.early:
            assert hold.verdict is Verdict.PASS
        elif hold.generation <= taken_back:
            assert hold.verdict is Verdict.DROP
        elif hold.verdict is Verdict.PASS:
            assert hold.generation in confirmed
