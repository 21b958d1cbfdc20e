"""A caller over the bot, in a real pipeline on simulated vendors: a cough, a nod, a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    OutputAudioRawFrame,
    UserStartedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from evals.simulators.behaviour import Behaviour, Ears, Rule, Wits
from evals.simulators.vendors import Vendors
from pipelines.headless import HeadlessTransport
from pipelines.pausing import hold
from processors.barge_in import BargeInStart
from processors.heard import HeardTruth
from processors.keen_vad import KeenVad
from processors.spoken import SpokenObserver
from providers.kinds import TtsConfig
from providers.llm.groq import GroqLlm
from providers.stt.deepgram import DeepgramStt
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from tests.support.llms import Site
from tests.support.pipes import WAIT_SECS, Tap
from tests.support.speech import EDGES_MS, clip

pytestmark = pytest.mark.integration

REPLY = "We are open from nine to five on weekdays, and on Saturday from ten to twelve o'clock."
CHAR_MS = 60
AUDIBLE = 300


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


class Ends(BaseObserver):
    """Tells the context's keeper of the ends of replies, as a call does."""

    def __init__(self, spoken: SpokenObserver, truth: HeardTruth, output: object) -> None:
        super().__init__()
        self._spoken, self._truth, self._output = spoken, truth, output
        self.replies: list[tuple[str, str]] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        self._spoken.see(data)
        if data.source is not self._output or data.direction is not FrameDirection.DOWNSTREAM:
            return
        if isinstance(data.frame, BotStartedSpeakingFrame):
            self._truth.reply_started()
        elif isinstance(data.frame, BotStoppedSpeakingFrame):
            heard, cut = self._spoken.take()
            self.replies.append((heard, cut))
            self._truth.reply_ended(heard, cut, interrupted=bool(cut))


@dataclass
class Call:
    """A line to the bot."""

    transport: HeadlessTransport
    vendors: Vendors
    tap: Tap
    ends: Ends
    alarms: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    async def say(self, name: str) -> None:
        """A sentence of a human, from its first sound on."""
        await self.transport.say([clip(name).tobytes()[EDGES_MS[name][0] * 32 :]])

    async def replied(self, count: int) -> None:
        await self.tap.wait(BotStoppedSpeakingFrame, count)

    @property
    def asked(self) -> list[list[dict[str, Any]]]:
        """The messages of each request to the model."""
        seen = [one for one in self.vendors.desk.seen if one.service == "groq-chat"]
        return [json.loads(one.body)["messages"] for one in seen]

    @property
    def audible_ms(self) -> float:
        """How much of the bot was heard."""
        frames = self.tap.of(OutputAudioRawFrame)
        audio = np.frombuffer(b"".join(frame.audio for frame in frames), "<i2")
        return float((np.abs(audio.astype(np.int32)) > AUDIBLE).sum()) / 24


@asynccontextmanager
async def calling(vendors: Vendors, *lines: str, voice: TtsConfig) -> AsyncGenerator[Call]:
    """A call in which the recogniser hears those lines, one after the other."""
    wits = Wits(rules=(Rule(say=REPLY),))
    vendors.desk.behave(Behaviour(ears=Ears(lines=lines), wits=wits))
    transport, tap, vad = HeadlessTransport(), Tap(), KeenVad()
    start = BargeInStart(vad)
    start.mouth = hold(transport.output(), start.played)
    stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.4)
    context = LLMContext()
    turns = UserTurnStrategies(start=[start], stop=[stop])
    pair = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=vad, user_turn_strategies=turns)
    )
    tts, output = voice.build(Site()), transport.output()
    ears, wits_service = DeepgramStt().build(Site()), GroqLlm().build(Site())
    ends = Ends(SpokenObserver(tts, output), HeardTruth(context, pair.assistant()), output)
    call = Call(transport, vendors, tap, ends)

    @start.event_handler("on_false_alarm")
    async def alarm(_: BargeInStart, held_ms: int, why: str) -> None:
        call.alarms.append((held_ms, why))

    line = [transport.input(), ears, pair.user(), wits_service, tts, output, tap, pair.assistant()]
    worker = PipelineWorker(
        Pipeline(line),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
        observers=[ends],
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runner.run())
        await asyncio.sleep(0.5)
        yield call
        await runner.cancel()
        await running


def cough() -> bytes:
    """Two bursts of noise, 120 ms each."""
    burst = np.random.default_rng(1).normal(0, 6000, 1920) * np.hanning(1920)
    gap = np.zeros(2400)
    return np.clip(np.concatenate((burst, gap, burst)), -32768, 32767).astype("<i2").tobytes()


async def test_a_cough_over_a_reply_costs_no_word_of_it(vendors: Vendors) -> None:
    async with calling(vendors, "when are you open", voice=CartesiaTts()) as call:
        await call.say("0880")
        await call.tap.wait(BotStartedSpeakingFrame)
        await asyncio.sleep(1.0)
        await call.transport.say([cough()])
        await call.replied(1)
        await asyncio.sleep(0.3)
    assert call.ends.replies == [(REPLY, "")]
    assert len(call.tap.of(UserStartedSpeakingFrame)) == 1
    assert call.audible_ms > len(REPLY) * CHAR_MS * 0.7


async def test_a_nod_over_a_reply_is_no_turn_and_no_part_of_the_next(vendors: Vendors) -> None:
    lines = ("when are you open", "uh-huh", "and on sunday")
    async with calling(vendors, *lines, voice=CartesiaTts()) as call:
        await call.say("0880")
        await call.tap.wait(BotStartedSpeakingFrame)
        await asyncio.sleep(1.0)
        nod = clip("0880")[EDGES_MS["0880"][0] * 16 :][: 350 * 16]
        await call.transport.say([nod.tobytes()])
        await call.replied(1)
        await asyncio.sleep(0.5)
        await call.say("0880")
        await call.tap.wait(BotStartedSpeakingFrame, 2)
    assert call.ends.replies[0] == (REPLY, "")
    assert all(held_ms <= 1000 for held_ms, _ in call.alarms)
    said = [message["content"] for message in call.asked[-1] if message["role"] == "user"]
    assert said == ["when are you open", "and on sunday"]


@pytest.mark.parametrize("voice", [CartesiaTts(), DeepgramTts()], ids=["timed", "untimed"])
async def test_a_sentence_over_it_stops_it_and_the_model_reads_what_was_heard(
    vendors: Vendors, voice: TtsConfig
) -> None:
    async with calling(vendors, "when are you open", "no on sunday", voice=voice) as call:
        await call.say("0880")
        await call.tap.wait(BotStartedSpeakingFrame)
        await asyncio.sleep(1.5)
        await call.say("0890")
        await call.tap.wait(BotStartedSpeakingFrame, 2)
        async with asyncio.timeout(WAIT_SECS):
            while len(call.asked) < 2:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)
    heard, cut = call.ends.replies[0]
    assert REPLY.startswith(heard)
    assert f"{heard} {cut}" == REPLY
    assert 2 <= len(heard.split()) <= 9
    assert call.asked[-1][-3:] == [
        {"role": "user", "content": "when are you open"},
        {"role": "assistant", "content": heard},
        {"role": "user", "content": "no on sunday"},
    ]
