"""The strategy in Pipecat's own aggregator: what it asks of the model, and what becomes context."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601

from processors.keen_vad import KeenVad
from processors.reply_gate import number_replies
from processors.speculation import Speculations
from processors.stable_stop import StableStop
from processors.stable_transcript import Rules

pytestmark = pytest.mark.unit

SOON = Rules(vote=False, hold_ms=0, commit_ms=260, final_ms=300)
STARTED, STOPPED = VADUserStartedSpeakingFrame, partial(VADUserStoppedSpeakingFrame, stop_secs=0.2)
REST = SleepFrame(0.15)


def interim(text: str) -> InterimTranscriptionFrame:
    return InterimTranscriptionFrame(text, "", time_now_iso8601())


def final(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "", time_now_iso8601(), finalized=True)


def hush() -> InputAudioRawFrame:
    return InputAudioRawFrame(bytes(640), 16_000, 1)


class Turns:
    """A user aggregator with the strategy, and what it asked of the model."""

    def __init__(self, rules: Rules = SOON, *, speculate: bool = True) -> None:
        self.context = LLMContext()
        self.vad = KeenVad()
        self.books = Speculations()
        self.stop = StableStop(rules, vad=self.vad, speculations=self.books if speculate else None)
        turns = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[self.stop])
        params = LLMUserAggregatorParams(user_turn_strategies=turns)
        self.aggregator = LLMUserAggregator(self.context, params=params)
        number_replies(self.aggregator, self.books)

    async def hear(self, *frames: Any) -> list[Frame]:
        """Give it frames one after the other; what it pushes."""
        spaced: list[Any] = []
        for frame in frames:
            spaced += [frame] if isinstance(frame, SleepFrame) else [frame, SleepFrame(0.01)]
        down, _ = await run_test(self.aggregator, frames_to_send=spaced)
        return list(down)

    @property
    def messages(self) -> list[str]:
        return [message["content"] for message in cast("Any", self.context.messages)]


def asked(frames: list[Frame]) -> list[tuple[bool, str]]:
    """Each request to the model: whether it was early, and the caller's last words in it."""
    contexts = [frame for frame in frames if isinstance(frame, LLMContextFrame)]
    return [(f.speculation, cast("Any", f.context.messages)[-1]["content"]) for f in contexts]


async def test_an_early_answer_that_is_confirmed_is_the_only_one() -> None:
    turns = Turns()
    turns.vad.run.quiet_ms = 400
    out = await turns.hear(STARTED(), interim("hello"), STOPPED(), final("Hello."), REST)
    assert asked(out) == [(True, "hello")]
    assert turns.messages == ["Hello."]
    assert any(isinstance(frame, UserStoppedSpeakingFrame) for frame in out)


async def test_words_that_turn_out_otherwise_are_asked_again_and_kept_once() -> None:
    turns = Turns()
    turns.vad.run.quiet_ms = 400
    out = await turns.hear(STARTED(), interim("hello"), STOPPED(), final("Hello there."), REST)
    assert asked(out)[0] == (True, "hello")
    assert asked(out)[-1][1] == "Hello there."
    assert any(isinstance(frame, EagerEndOfTurnCancelFrame) for frame in out)
    assert turns.messages == ["Hello there."]


async def test_a_caller_who_goes_on_takes_it_back() -> None:
    turns = Turns()
    turns.vad.run.quiet_ms = 400
    out = await turns.hear(STARTED(), interim("hello"), STARTED(), STOPPED(), REST)
    kinds = [type(f) for f in out if isinstance(f, LLMContextFrame | EagerEndOfTurnCancelFrame)]
    assert kinds[:2] == [LLMContextFrame, EagerEndOfTurnCancelFrame]


async def test_voice_too_short_for_the_detector_takes_it_back() -> None:
    turns = Turns()
    turns.vad.run.quiet_ms = 400
    await turns.hear(STARTED(), interim("hello"))
    assert turns.books.newest == 1
    turns = Turns()
    turns.vad.run.quiet_ms = 400
    asking = interim("hello")

    async def voice(_: Any, frame: Frame) -> None:
        if frame is asking:
            turns.vad.run.quiet_ms, turns.vad.run.voiced_ms = 0, 96

    turns.aggregator.add_event_handler("on_after_process_frame", voice)
    await turns.hear(STARTED(), asking, hush())
    assert turns.books.is_dropped(1)


async def test_without_speculation_the_model_is_asked_once_at_the_end() -> None:
    turns = Turns(speculate=False)
    turns.vad.run.quiet_ms = 400
    out = await turns.hear(STARTED(), interim("hello"), STOPPED(), final("Hello."), REST)
    assert asked(out) == [(False, "Hello.")]


async def test_words_without_a_final_become_the_turns() -> None:
    turns = Turns(speculate=False)
    fast = STTMetadataFrame(service_name="ears", ttfs_p99_latency=0.05)
    out = await turns.hear(fast, STARTED(), interim("hello there"), STOPPED(), SleepFrame(0.4))
    assert len(asked(out)) == 1
    assert turns.messages == ["hello there"]


async def test_a_turn_without_words_asks_nothing() -> None:
    turns = Turns()
    assert asked(await turns.hear(STARTED(), STOPPED(), REST)) == []
