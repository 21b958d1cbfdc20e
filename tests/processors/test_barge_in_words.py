"""Words that come as the bot ends, or late, or over a filler: whose are they? Real turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from processors.barge_guard import NEXT_MS, NOD_MS
from processors.barge_in import BargeInStart
from processors.filler import FillerAudioFrame
from processors.keen_vad import KeenVad
from processors.stable_stop import StableStop
from processors.stable_transcript import Rules
from tests.support.pipes import Flow, flowing
from tests.support.speech import RATE_HZ, clip

pytestmark = pytest.mark.integration

CHUNK = RATE_HZ // 50
QUIET_SECS = 0.15


@dataclass
class Said:
    """A mouth that is nowhere held."""

    sentences: tuple[str, ...] = ()

    def pause(self) -> None:
        """Nothing plays."""

    def resume(self) -> None:
        """Nothing plays."""

    def said(self) -> tuple[str, ...]:
        return self.sentences


@dataclass
class Ear:
    """The caller's side of a call, without a transport."""

    flow: Flow
    start: BargeInStart
    context: LLMContext

    @property
    def turns(self) -> int:
        return len(self.flow.tap.of(UserStartedSpeakingFrame))

    @property
    def heard(self) -> list[str]:
        """What the model is told."""
        return [message["content"] for message in self.messages]

    @property
    def messages(self) -> list[Any]:
        return list(self.context.messages)

    async def final(self, text: str) -> None:
        await self.flow.send(TranscriptionFrame(text, "", ""))
        await self.quiet()

    async def partial(self, text: str) -> None:
        await self.flow.send(InterimTranscriptionFrame(text, "", ""))

    async def bot(self, *sentences: str) -> None:
        """It begins to say that."""
        self.start.mouth = Said(sentences)
        await self.flow.send(BotStartedSpeakingFrame())
        await self.quiet()

    async def bot_ends(self) -> None:
        await self.flow.send(BotStoppedSpeakingFrame())

    async def quiet(self, secs: float = QUIET_SECS) -> None:
        """The caller's line, with nobody on it."""
        for _ in range(round(secs * 50)):
            await self.flow.send(InputAudioRawFrame(bytes(2 * CHUNK), RATE_HZ, 1))
            await asyncio.sleep(0.02)

    async def leak(self, sound: bytes, kind: type[TTSAudioRawFrame | FillerAudioFrame]) -> None:
        """The bot's sound, 20 dB weaker in the caller's microphone 60 ms later."""
        chunks = [sound[at : at + 2 * CHUNK] for at in range(0, len(sound), 2 * CHUNK)]
        began = now_secs()
        for index, chunk in enumerate([*chunks, *[bytes(2 * CHUNK)] * 3]):
            self.start.played(kind(chunk, RATE_HZ, 1))
            back = np.frombuffer(chunks[index - 3] if index >= 3 else bytes(2 * CHUNK), "<i2")
            weak = (back // 10).astype("<i2").tobytes()
            await self.flow.send(InputAudioRawFrame(weak, RATE_HZ, 1))
            await asyncio.sleep(max(0.0, began + (index + 1) / 50 - now_secs()))

    async def committed(self, count: int = 1) -> None:
        await self.flow.tap.wait(UserStoppedSpeakingFrame, count)


def now_secs() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listening() -> AsyncGenerator[Ear]:
    vad, context = KeenVad(), LLMContext()
    start = BargeInStart(vad)
    stop = StableStop(Rules(vote=False, hold_ms=0), vad=vad)
    turns = UserTurnStrategies(start=[start], stop=[stop])
    params = LLMUserAggregatorParams(vad_analyzer=vad, user_turn_strategies=turns)
    user = LLMContextAggregatorPair(context, user_params=params).user()
    async with flowing(user, audio_in_sample_rate=RATE_HZ) as flow:
        yield Ear(flow, start, context)


async def test_words_over_the_bots_last_word_are_the_callers_turn() -> None:
    async with listening() as ear:
        await ear.bot("When would you like to come?")
        await ear.bot_ends()
        await ear.final("Tuesday please.")
        await ear.committed()
        assert ear.heard == ["Tuesday please."]


@pytest.mark.parametrize("text", ["", "..."])
async def test_no_words_are_no_turn(text: str) -> None:
    async with listening() as ear:
        await ear.final(text)
        assert ear.turns == 0


async def test_a_late_final_of_new_words_is_a_turn_of_its_own() -> None:
    async with listening() as ear:
        await ear.final("I would like an appointment.")
        await ear.committed()
        await ear.final("On Tuesday if you can.")
        await ear.committed(2)
        assert ear.heard == ["I would like an appointment.", "On Tuesday if you can."]


@pytest.mark.parametrize(
    "text", ["I want a check up today.", "I want a checkup today", "a check up", "today"]
)
async def test_a_late_final_of_the_turns_own_words_is_none(text: str) -> None:
    async with listening() as ear:
        await ear.final("I want a check up today.")
        await ear.committed()
        await ear.final(text)
        assert ear.turns == 1
        assert ear.heard == ["I want a check up today."]


async def test_a_partial_that_was_settled_is_not_told_again_by_its_finals() -> None:
    async with listening() as ear:
        await ear.bot("We are open from nine to five.")
        await ear.partial("and when do you open on Sunday")
        await ear.quiet(1.2)
        await ear.committed()
        for text in ("And when do you open", "on Sunday?"):
            await ear.final(text)
        assert ear.turns == 1
        assert ear.heard == ["and when do you open on Sunday"]


async def test_a_yes_over_the_bots_end_is_an_answer() -> None:
    async with listening() as ear:
        await ear.bot("To book it, just say yes please.")
        await ear.final("Yeah.")
        assert ear.turns == 0
        await ear.bot_ends()
        await ear.quiet(2 * NEXT_MS / 1000)
        await ear.committed()
        assert ear.heard == ["Yeah."]


async def test_a_yes_told_after_the_bots_end_is_an_answer() -> None:
    async with listening() as ear:
        await ear.bot("To book it, just say yes please.")
        await ear.bot_ends()
        await ear.final("Yes.")
        await ear.committed()
        assert ear.heard == ["Yes."]


async def test_a_nod_in_the_middle_stays_one() -> None:
    async with listening() as ear:
        await ear.bot("We are open from nine to five.")
        await ear.final("Yeah.")
        await ear.quiet(NOD_MS / 1000 + 0.2)
        await ear.bot_ends()
        await ear.quiet(2 * NEXT_MS / 1000)
        assert ear.turns == 0


async def test_a_nod_between_two_sentences_stays_one() -> None:
    async with listening() as ear:
        await ear.bot("We are open from nine to five.")
        await ear.final("Yeah.")
        await ear.bot_ends()
        await ear.bot("On Saturday we are closed.")
        await ear.quiet(NOD_MS / 1000 + 0.2)
        await ear.bot_ends()
        await ear.quiet(2 * NEXT_MS / 1000)
        assert ear.turns == 0


async def test_an_echo_of_a_filler_does_not_interrupt_the_answer_it_bridges() -> None:
    async with listening() as ear:
        # The path is learned while nothing holds the bot: the caller is thought to speak.
        await ear.leak(clip("0870").tobytes()[: 8 * RATE_HZ], TTSAudioRawFrame)
        await ear.quiet(0.5)
        await ear.final("And what is free on Tuesday?")
        await ear.committed()
        assert ear.turns == 1
        await ear.leak(clip("0890").tobytes()[: 4 * RATE_HZ], FillerAudioFrame)
        assert ear.turns == 1


async def test_the_words_of_a_fillers_echo_do_not_either() -> None:
    async with listening() as ear:
        await ear.final("What is free on Tuesday?")
        await ear.committed()
        ear.start.note_said("Hm, let me think about that.")
        await ear.final("let me think about that")
        assert ear.turns == 1
