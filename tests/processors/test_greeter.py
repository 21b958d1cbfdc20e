"""A greeting that was made at some other time is a reply like one that is made now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import TTSUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.workers.runner import WorkerRunner

from pipelines.headless import HeadlessTransport
from pipelines.pausing import hold
from processors.greeter import Free, Greeter, GreetingFrame, spread
from processors.heard import HeardTruth
from processors.narrator import Narrator, Watched
from processors.phrases import Clip, Marks
from processors.reply_gate import ReplyGate
from processors.speculation import Speculations
from processors.spoken import SpokenObserver
from providers.tts._simulated_service import SimulatedTtsService
from records.events import CallEvent, ReplyEnded, ReplyStarted
from tests.support.pipes import WAIT_SECS, Tap

pytestmark = pytest.mark.integration

RATE_HZ = 24_000
TEXT = "Hello,  this is the practice. It costs $80."
WORD_MS = 200
MARKS: Marks = tuple(
    (WORD_MS * number, end) for number, end in enumerate((6, 12, 15, 19, 29, 32, 38, 43))
)
USAGE = TTSUsageMetricsData(processor="voice", value=len(TEXT))


def _clip(marks: Marks = (), *usage: TTSUsageMetricsData) -> Clip:
    times = np.arange(RATE_HZ * WORD_MS * len(MARKS) // 1000) / RATE_HZ
    samples = (8000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16)
    return Clip(TEXT, samples, RATE_HZ, usage, marks)


@dataclass
class _Kept:
    """A source of greetings: what is kept at once, what is made when it may be."""

    kept: Clip | None = None
    made: Clip | None = None
    asked: list[str] = field(default_factory=list[str])
    begin: asyncio.Event = field(default_factory=asyncio.Event)
    find_secs: float = 0.01

    async def find(self, rate_hz: int) -> Clip | None:
        assert rate_hz == RATE_HZ
        await asyncio.sleep(self.find_secs)
        self.asked.append("find")
        return self.kept

    async def make(self, rate_hz: int, free: Free) -> Clip | None:
        self.asked.append("make")
        await self.begin.wait()
        await free()
        self.asked.append("made")
        return self.made


@dataclass
class _Call:
    """A line from the turns to the context, and what is told of it."""

    worker: PipelineWorker
    greeter: Greeter
    tap: Tap
    context: LLMContext
    told: list[CallEvent]
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def greet(self) -> Frame:
        frame = await self.greeter.greeting()
        await self.worker.queue_frame(frame)
        return frame

    async def ended(self) -> ReplyEnded:
        async with asyncio.timeout(WAIT_SECS):
            while not (ends := [event for event in self.told if isinstance(event, ReplyEnded)]):
                self.more.clear()
                await self.more.wait()
        return ends[-1]

    async def remembered(self) -> list[str]:
        """What the model will see, once there is something."""
        async with asyncio.timeout(WAIT_SECS):
            while not self.context.messages:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        return [message["content"] for message in cast("list[Any]", self.context.messages)]


@asynccontextmanager
async def calling(source: _Kept) -> AsyncGenerator[_Call]:
    """Run the line as the cascade has it, without ears and wits."""
    turns, tap, context = IdentityFilter(), Tap(), LLMContext()
    voice = SimulatedTtsService(ttfb_secs=0.05, char_secs=0.03, pitch_hz=220)
    greeter, gate = Greeter(TEXT, source), ReplyGate(Speculations())
    output, assistant = HeadlessTransport().output(), LLMContextAggregatorPair(context).assistant()
    hold(output)
    truth, told = HeardTruth(context, assistant), list[CallEvent]()

    def tell(event: CallEvent) -> None:
        if isinstance(event, ReplyStarted):
            truth.reply_started()
        elif isinstance(event, ReplyEnded):
            truth.reply_ended(event.spoken, event.cut, interrupted=event.interrupted)
        told.append(event)
        call.more.set()

    watched = Watched(turns, turns, turns, mouth=output, voice=voice, gate=gate)
    narrator = Narrator(tell, lambda: 0, watched=watched, spoken=SpokenObserver(gate, output))
    worker = PipelineWorker(
        Pipeline([turns, voice, greeter, gate, output, tap, assistant]),
        params=PipelineParams(audio_out_sample_rate=RATE_HZ),
        observers=[narrator],
        enable_rtvi=False,
    )
    call = _Call(worker, greeter, tap, context, told)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runner.run())
        yield call
        await worker.queue_frame(EndFrame())
        async with asyncio.timeout(WAIT_SECS):
            await running


_texts = st.text(st.sampled_from("ab $8.,-\n\N{BULLET}é你"), min_size=1, max_size=60)


@given(_texts.filter(str.strip), st.floats(1, 30_000))
def test_every_word_gets_its_share_of_the_time(text: str, length_ms: float) -> None:
    marks = spread(text, length_ms)
    times, ends = [at for at, _ in marks], [end for _, end in marks]
    assert times == sorted(set(times))
    assert ends == sorted(set(ends))
    assert 0 < times[0] <= times[-1] < length_ms
    assert ends[-1] == len(text.rstrip())
    assert len(marks) == len(text.split())


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept greeting is waited for however busy the machine is."""
    monkeypatch.setattr("processors.greeter._FIND_SECS", 30.0)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("marks", [(), MARKS], ids=["spread", "told"])
async def test_it_is_said_told_and_remembered_as_if_it_was_made_now(marks: Marks) -> None:
    async with calling(_Kept(_clip(marks))) as call:
        assert isinstance(await call.greet(), GreetingFrame)
        ended = await call.ended()
        remembered = await call.remembered()
        sound = b"".join(frame.audio for frame in call.tap.of(TTSAudioRawFrame))
        words = call.tap.of(TTSTextFrame)
        progress = call.tap.of(AggregatedTextProgressFrame)

    assert [event.kind for event in call.told] == ["reply_started", "reply_ended"]
    assert (ended.spoken, ended.cut, ended.interrupted) == (TEXT, "", False)
    assert remembered == [TEXT]
    assert sound.rstrip(b"\0") == _clip().samples.tobytes().rstrip(b"\0")
    assert "".join(word.text for word in words) == TEXT
    assert progress[-1].remaining_text == ""
    assert all(frame.accumulated_text + frame.remaining_text == TEXT for frame in progress)
    assert [len(call.tap.of(kind)) for kind in (TTSStartedFrame, TTSStoppedFrame)] == [1, 1]
    contexts = {frame.context_id for frame in [*words, *progress, *call.tap.of(TTSStartedFrame)]}
    assert len(contexts) == 1


async def test_a_caller_does_not_wait_for_a_slow_disk() -> None:
    async with calling(_Kept(_clip(()), find_secs=60.0)) as call:
        assert isinstance(await call.greet(), TTSSpeakFrame)


async def test_the_voice_that_says_it_now_is_told_of_alike() -> None:
    async with calling(_Kept()) as call:
        assert isinstance(await call.greet(), TTSSpeakFrame)
        ended = await call.ended()
        remembered = await call.remembered()

    assert [event.kind for event in call.told] == ["reply_started", "reply_ended"]
    assert (ended.spoken, ended.cut, ended.interrupted) == (TEXT, "", False)
    assert remembered == [TEXT]


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("marks", [(), MARKS], ids=["spread", "told"])
async def test_an_interruption_leaves_the_words_that_were_heard(marks: Marks) -> None:
    async with calling(_Kept(_clip(marks))) as call:
        await call.greet()
        await call.tap.wait(BotStartedSpeakingFrame)
        await call.tap.wait(TTSTextFrame, 3)
        await call.worker.queue_frame(InterruptionFrame())
        await call.tap.wait(BotStoppedSpeakingFrame)
        ended = await call.ended()
        remembered = await call.remembered()
        heard_ms = sum(f.num_frames for f in call.tap.of(TTSAudioRawFrame)) * 1000 / RATE_HZ
        known = marks or spread(TEXT, _clip().ms)

    assert ended.interrupted
    assert f"{ended.spoken} {ended.cut}" == TEXT
    assert remembered == [ended.spoken]
    # The output may have been 100 ms on when the interruption came by.
    said = [TEXT[:end] for at_ms, end in known if at_ms <= heard_ms + 100]
    assert ended.spoken in said
    # The third is told as it begins, and counts once sound of it was played.
    assert len(ended.spoken.split()) >= 2
    assert heard_ms < _clip().ms


async def test_one_that_is_not_kept_is_made_aside_once_the_voice_is_free() -> None:
    source = _Kept(made=_clip((), USAGE))
    async with calling(source) as call:
        assert isinstance(await call.greet(), TTSSpeakFrame)
        source.begin.set()
        for _ in range(5):
            await asyncio.sleep(0)
        early = list(source.asked)
        await call.ended()
        again = await call.greeter.greeting()
        await call.tap.wait(MetricsFrame)
        data = [datum for frame in call.tap.of(MetricsFrame) for datum in frame.data]

    assert early == ["find", "make"]
    assert source.asked == ["find", "make", "made"]
    assert USAGE in data
    assert isinstance(again, GreetingFrame)


async def test_a_caller_who_interrupts_frees_the_voice() -> None:
    source = _Kept(made=_clip())
    async with calling(source) as call:
        await call.greet()
        source.begin.set()
        await call.worker.queue_frame(InterruptionFrame())
        await call.tap.wait(InterruptionFrame)
        async with asyncio.timeout(WAIT_SECS):
            while source.asked[-1] != "made":  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        assert isinstance(await call.greeter.greeting(), GreetingFrame)


async def test_a_call_that_ends_first_gives_up_the_making() -> None:
    source = _Kept()
    async with calling(source) as call:
        await call.greet()
        await call.ended()
    assert source.asked == ["find", "make"]
