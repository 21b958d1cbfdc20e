"""A call through a real pipeline: what was said and played lies where it was heard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    InterruptionWorkerFrame,
    TTSSpeakFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection
from pipecat.workers.runner import WorkerRunner

from pipelines.headless import HeadlessTransport
from processors.recorder import CallerTap, Recorder
from processors.speakable import to_speech
from processors.spoken import SpokenObserver
from providers.tts._simulated_service import SimulatedTtsService
from records.ear import Answer, EarEvent, hear
from records.recording import RecordingFile, read_tracks
from records.tracks import RATE_HZ
from tests.support.speech import EDGES_MS, PER_MS, clip

pytestmark = pytest.mark.integration

TTFB_SECS, CHAR_MS = 0.1, 30
AUDIBLE = 300
GAP_SECS = 0.6


class _Replies(BaseObserver):
    """Takes the words of each reply when it ends."""

    def __init__(self, spoken: SpokenObserver, transport: HeadlessTransport) -> None:
        super().__init__()
        self._spoken = spoken
        self._output = transport.output()
        self.replies: list[tuple[str, str]] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        self._spoken.see(data)
        stopped = isinstance(data.frame, BotStoppedSpeakingFrame)
        if stopped and data.source is self._output and data.direction is FrameDirection.DOWNSTREAM:
            self.replies.append(self._spoken.take())


class _Call:
    """A voice and a recorder on a headless line."""

    def __init__(self, path: Path) -> None:
        self.heard: list[EarEvent] = []
        self.transport = HeadlessTransport()
        voice = SimulatedTtsService(ttfb_secs=TTFB_SECS, char_secs=CHAR_MS / 1000, pitch_hz=220)
        voice.add_text_transformer(to_speech)
        recorder = Recorder(on_ear=self.heard.append, recording=RecordingFile(path))
        tap, output = CallerTap(recorder), self.transport.output()
        self._replies = _Replies(SpokenObserver(voice, output), self.transport)
        user, assistant = LLMContextAggregatorPair(LLMContext())
        self.worker = PipelineWorker(
            Pipeline([self.transport.input(), user, tap, voice, output, recorder, assistant]),
            params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
            observers=[self._replies],
        )

    async def run(self) -> list[tuple[str, str]]:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(runner.run())
            await self._talk()
            await runner.cancel()
            await running
        return self._replies.replies

    async def _talk(self) -> None:
        await asyncio.sleep(0.5)
        await self.worker.queue_frame(TTSSpeakFrame("Hello, it costs $80."))
        await asyncio.sleep(1.8)
        self.transport.input().say(clip("0880").tobytes())
        await asyncio.sleep(EDGES_MS["0880"][1] / 1000 + GAP_SECS)
        await self.worker.queue_frame(TTSSpeakFrame("You can come at 9:30 or later in the day."))
        await asyncio.sleep(1.0)
        await self.worker.queue_frame(InterruptionWorkerFrame())
        await asyncio.sleep(1.2)


async def test_records_measures_and_tells_what_was_heard(tmp_path: Path) -> None:
    call = _Call(tmp_path / "call.wav")

    replies = await call.run()

    tracks = read_tracks(tmp_path / "call.wav")
    said_at = tracks[:, 0].tobytes().index(clip("0880").tobytes()) // 2
    played = np.flatnonzero(np.abs(tracks[:, 1]) > AUDIBLE) / PER_MS
    begun = played[np.diff(played, prepend=-1000) > 500]
    greeting_ms = played[played < begun[1]][-1] - begun[0]
    gap_ms = begun[1] - (said_at / PER_MS + EDGES_MS["0880"][1])
    (answer,) = call.heard
    assert isinstance(answer, Answer)
    assert [answer] == hear(tracks, RATE_HZ)
    assert answer.ear_ms == pytest.approx(gap_ms, abs=15)
    assert answer.ear_ms == pytest.approx((GAP_SECS + TTFB_SECS) * 1000, abs=150)
    assert greeting_ms == pytest.approx(len("Hello, it costs eighty dollars.") * CHAR_MS, abs=120)
    assert replies[0] == ("Hello, it costs $80.", "")
    heard, cut = replies[1]
    assert heard.startswith("You can come at 9:30")
    assert cut.endswith("in the day.")
