"""A late answer is bridged by a word; an answer in time never is, nor a caller who speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FunctionCallFromLLM,
    FunctionCallsStartedFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair

from pipelines.headless import HeadlessTransport
from processors.filler import (
    Filler,
    FillerAudioFrame,
    fade_out,
)
from processors.filler_clock import FillerLines
from processors.phrases import Clip, Phrases, Shelf
from providers.tts._simulated_service import SimulatedTtsService
from tests.support.pipes import Flow, Tap, flowing

pytestmark = pytest.mark.integration

LOOKING = "I am looking."
RATE_HZ = 24_000


@given(
    st.lists(st.integers(-20_000, 20_000), max_size=3000),
    st.integers(0, 200),
)
def test_a_cut_line_keeps_its_beginning_and_ends_in_silence(
    values: list[int], within_ms: int
) -> None:
    samples = np.array(values, np.int16)
    kept = fade_out(samples, 8000, within_ms=within_ms)
    fade = min(320, len(samples))

    assert fade <= len(kept) <= max(within_ms * 8, fade)
    assert kept[: len(kept) - fade].tolist() == samples[: len(kept) - fade].tolist()
    assert not len(kept) or kept[-1] == 0


def test_it_is_cut_between_two_words() -> None:
    word = np.full(800, 9000, np.int16)
    samples = np.concatenate((word[:200], np.zeros(400, np.int16), word))
    assert np.count_nonzero(fade_out(samples, 8000, within_ms=120)) == 200


def _voice(ttfb_secs: float = 0.02) -> SimulatedTtsService:
    return SimulatedTtsService(ttfb_secs=ttfb_secs, char_secs=0.03, pitch_hz=220)


@dataclass
class _Line:
    """A call: voice, filler, output, a tap, and the context."""

    flow: Flow
    context: LLMContext
    filled: list[str]

    @property
    def sounds(self) -> list[type[Frame]]:
        """Kinds of sound that were played, in order."""
        kinds = [type(f) for _, f in self.flow.tap.seen if isinstance(f, OutputAudioRawFrame)]
        return [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]

    async def commit(self) -> None:
        """The caller has said something, and the model is asked."""
        await self.flow.send(
            VADUserStartedSpeakingFrame(),
            UserStartedSpeakingFrame(),
            InterruptionFrame(),
            VADUserStoppedSpeakingFrame(stop_secs=0.2),
            UserStoppedSpeakingFrame(),
        )
        await self.flow.tap.wait(UserStoppedSpeakingFrame)
        await self.flow.send(LLMFullResponseStartFrame())

    async def answer(self, text: str) -> None:
        """The model answers."""
        await self.flow.send(LLMTextFrame(text), LLMFullResponseEndFrame())

    async def kept_in_mind(self, text: str) -> list[str]:
        """What the bot said, in the context, once `text` is there."""
        async with asyncio.timeout(20):
            while text not in self.said:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        return self.said

    @property
    def said(self) -> list[str]:
        """The conversation as the model sees it."""
        return [message.get("content") for message in cast("list[Any]", self.context.messages)]


@asynccontextmanager
async def calling(*, after_ms: float = 400, shelf: Shelf | None = None) -> AsyncGenerator[_Line]:
    """Run the call until its greeting was played and every line is made."""
    shelf, context, filled = shelf or Shelf(), LLMContext(), list[str]()

    lines = FillerLines(("Let me see that.", "One moment."), {"free_slots": LOOKING}, after_ms)
    made = (*lines.phrases, LOOKING)
    filler = Filler(lines, Phrases(made, "hum", _voice, shelf))

    async def told(_: Filler, text: str) -> None:
        filled.append(text)

    filler.add_event_handler("on_filled", told)
    assistant = LLMContextAggregatorPair(context).assistant()
    output = HeadlessTransport().output()
    async with flowing(
        _voice(), filler, output, Tap(), assistant, audio_out_sample_rate=RATE_HZ
    ) as flow:
        await flow.send(TTSSpeakFrame("Hello."))
        await flow.tap.wait(BotStoppedSpeakingFrame)
        async with asyncio.timeout(20):
            while shelf.get(f"hum@{RATE_HZ}", LOOKING) is None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        yield _Line(flow, context, filled)


async def test_a_late_answer_is_bridged_and_only_the_answer_counts() -> None:
    async with calling() as line:
        await line.commit()
        await line.flow.tap.wait(FillerAudioFrame, 4)
        await line.answer("We open at nine.")
        await line.flow.tap.wait(BotStoppedSpeakingFrame, 2)
        said = await line.kept_in_mind("We open at nine.")
        tap = line.flow.tap
        spoken = [frame.text for frame in tap.of(TTSTextFrame)]
    assert line.filled == ["Let me see that."]
    assert line.sounds == [TTSAudioRawFrame, FillerAudioFrame, TTSAudioRawFrame]
    assert said == spoken == ["Hello.", "We open at nine."]
    assert len(tap.of(BotStartedSpeakingFrame)) == len(tap.of(TTSStartedFrame)) == 2
    kinds = [type(frame) for _, frame in tap.seen]
    second = len(kinds) - 1 - kinds[::-1].index(BotStartedSpeakingFrame)
    assert FillerAudioFrame in kinds[:second]
    assert FillerAudioFrame not in kinds[second:]


async def test_the_answer_cuts_the_line_short() -> None:
    async with calling() as line:
        await line.commit()
        await line.flow.tap.wait(FillerAudioFrame)
        await line.answer("Nine.")
        await line.flow.tap.wait(BotStoppedSpeakingFrame, 2)
        played = b"".join(frame.audio for frame in line.flow.tap.of(FillerAudioFrame))
    whole_secs = len("Let me see that.") * 0.03
    assert 0 < len(played) / 2 / RATE_HZ < whole_secs


async def test_no_sound_of_the_lines_is_heard_while_they_are_made() -> None:
    async with calling() as line:
        await line.flow.send(TTSSpeakFrame("Goodbye."))
        await line.flow.tap.wait(BotStoppedSpeakingFrame, 2)
        secs = sum(len(f.audio) for f in line.flow.tap.of(OutputAudioRawFrame)) / 2 / RATE_HZ
    assert line.sounds == [TTSAudioRawFrame]
    assert secs == pytest.approx(len("Hello.Goodbye.") * 0.03, abs=0.1)


async def test_an_answer_in_time_is_left_alone() -> None:
    async with calling(after_ms=5000) as line:
        await line.commit()
        await line.answer("We open at nine.")
        await line.flow.tap.wait(BotStoppedSpeakingFrame, 2)
    assert line.filled == []
    assert line.sounds == [TTSAudioRawFrame]


async def test_a_caller_who_goes_on_silences_it() -> None:
    async with calling() as line:
        await line.commit()
        await line.flow.tap.wait(FillerAudioFrame)
        await line.flow.send(
            VADUserStartedSpeakingFrame(), UserStartedSpeakingFrame(), InterruptionFrame()
        )
        await line.flow.tap.wait(InterruptionFrame, 2)
        # As long as the rest of the line would be heard.
        await asyncio.sleep(1.0)
        played = sum(len(frame.audio) for frame in line.flow.tap.of(FillerAudioFrame))
    assert len(line.filled) == 1
    assert played / 2 / RATE_HZ < len("Let me see that.") * 0.03


async def test_a_tool_that_runs_long_has_its_sentence() -> None:
    async with calling() as line:
        await line.commit()
        call = FunctionCallFromLLM(
            function_name="free_slots", tool_call_id="1", arguments={}, context=line.context
        )
        await line.flow.send(FunctionCallsStartedFrame([call]), LLMFullResponseEndFrame())
        async with asyncio.timeout(20):
            while LOOKING not in line.filled:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        await line.flow.send(TTSSpeakFrame("At nine."))
        await line.kept_in_mind("At nine.")
    assert line.filled[-1] == LOOKING
    assert len(line.filled) <= 2


async def test_a_tool_that_runs_long_has_its_sentence_after_what_the_model_said() -> None:
    async with calling() as line:
        await line.commit()
        await line.flow.send(LLMTextFrame("Sure."))
        call = FunctionCallFromLLM(
            function_name="free_slots", tool_call_id="1", arguments={}, context=line.context
        )
        await line.flow.send(LLMFullResponseEndFrame())
        await line.flow.tap.wait(BotStoppedSpeakingFrame, 2)
        await line.flow.send(FunctionCallsStartedFrame([call]))
        await line.flow.tap.wait(FillerAudioFrame, 4)
    assert line.filled[-1] == LOOKING
    assert line.sounds[-2:] == [TTSAudioRawFrame, FillerAudioFrame]


async def test_lines_that_are_kept_cost_nothing_in_the_next_call() -> None:
    shelf = Shelf()
    async with calling(shelf=shelf):
        pass
    async with calling(shelf=shelf) as line:
        await line.commit()
        await line.flow.tap.wait(FillerAudioFrame)
        await line.answer("Yes.")
        await line.kept_in_mind("Yes.")
    assert line.filled == ["Let me see that."]


async def test_a_call_that_ends_while_they_are_made_ends_at_once() -> None:
    def slow() -> SimulatedTtsService:
        return _voice(ttfb_secs=3600)

    lines = FillerLines(("One moment.",), {}, 400)
    filler = Filler(lines, Phrases(lines.phrases, "slow", slow, Shelf()))
    output = HeadlessTransport().output()
    async with flowing(_voice(), filler, output, audio_out_sample_rate=RATE_HZ) as flow:
        await flow.send(TTSSpeakFrame("Hello."))
        await flow.tap.wait(BotStoppedSpeakingFrame)


class _Interposed(Filler):
    """Has the answer come just while a line is being silenced."""

    async def cancel_task(
        self,
        task: asyncio.Task[None],
        timeout: float | None = None,  # noqa: ASYNC109 - Pipecat's own
    ) -> None:
        await super().cancel_task(task, timeout)
        if task is not self._watching and self._watching is asyncio.current_task():
            await self.queue_frame(TTSAudioRawFrame(bytes(RATE_HZ), RATE_HZ, 1))
            await asyncio.sleep(0.1)


async def test_no_line_begins_beside_an_answer_that_came_meanwhile() -> None:
    shelf, lines = Shelf(), FillerLines(("Let me see.", "One moment."), {}, 0)
    for text in lines.phrases:
        samples = np.full(3 * RATE_HZ, 9000, np.int16)
        shelf.put(f"hum@{RATE_HZ}", Clip(text, samples, RATE_HZ))
    filler = _Interposed(lines, Phrases(lines.phrases, "hum", _voice, shelf))
    turn = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame, LLMFullResponseStartFrame)
    async with flowing(filler, audio_out_sample_rate=RATE_HZ) as flow:
        await flow.send(TTSStoppedFrame())
        await flow.tap.wait(TTSStoppedFrame)
        await flow.send(*(kind() for kind in turn))
        await flow.tap.wait(FillerAudioFrame)
        # Somebody takes the turn without being heard: nothing else silences the line.
        await flow.send(*(kind() for kind in turn))
        await flow.tap.wait(TTSAudioRawFrame)
        await asyncio.sleep(0.3)
        kinds = [type(frame) for _, frame in flow.tap.seen]
    assert FillerAudioFrame not in kinds[kinds.index(TTSAudioRawFrame) :]


async def test_the_lines_are_not_made_while_an_answer_is_due() -> None:
    built: list[str] = []

    def build() -> SimulatedTtsService:
        built.append("voice")
        return _voice()

    lines = FillerLines(("One moment.",), {}, 60_000)
    filler = Filler(lines, Phrases(lines.phrases, "hum", build, Shelf()))
    async with flowing(_voice(), filler, audio_out_sample_rate=RATE_HZ) as flow:
        # Who does not wait for the greeting.
        await flow.send(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        await flow.send(LLMFullResponseStartFrame())
        await flow.tap.wait(LLMFullResponseStartFrame)
        await asyncio.sleep(0.1)
        early = list(built)
        await flow.send(LLMTextFrame("We open at nine."), LLMFullResponseEndFrame())
        await flow.tap.wait(TTSStoppedFrame)
        async with asyncio.timeout(20):
            while not built:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
    assert early == []
