"""A turn that ends on an early answer, as the model takes it back, is answered all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    LLMContextFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from pipelines.cascade import Extras, build, build_stages, new_context
from pipelines.config import resolve
from pipelines.headless import HeadlessTransport
from processors.recorder import Recorder
from providers.models import ModelStore

pytestmark = pytest.mark.integration

PATIENCE_SECS = 20


class WantsATool(FrameProcessor):
    """A model that takes its early answer back for a tool, `late` after the end of the turn."""

    def __init__(self, *, late: bool) -> None:
        super().__init__()
        self._late = late
        self.asked: asyncio.Queue[LLMContextFrame] = asyncio.Queue()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            self.asked.put_nowait(frame)
            if frame.speculation and not self._late:
                await self.broadcast_frame(EagerEndOfTurnCancelFrame)
        elif isinstance(frame, UserStoppedSpeakingFrame) and self._late:
            await self.broadcast_frame(EagerEndOfTurnCancelFrame)
        await self.push_frame(frame, direction)


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_that_was_taken_back_is_asked_for_again(late: bool) -> None:
    wishes: Any = {"turn": {"silence_ms": 800}, "stt": {"lines": ["how much"]}}
    config = resolve("simulated", overrides=wishes)
    site = LocalSite(ModelStore(env={}, offline=True), Sidecars())
    model = WantsATool(late=late)
    stages = replace(await asyncio.to_thread(build_stages, config, site), llm=cast("Any", model))
    context = new_context([], None)
    transport = HeadlessTransport()
    cascade = build(stages, transport, context, extras=Extras(recorder=Recorder()))
    worker = PipelineWorker(cascade.pipeline, enable_rtvi=False, idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())
    try:
        async with asyncio.timeout(PATIENCE_SECS):
            await worker.queue_frame(VADUserStartedSpeakingFrame())
            await asyncio.sleep(0.2)
            await worker.queue_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))
            early = await model.asked.get()
            again = await model.asked.get()
    finally:
        await runner.cancel()
        await running
    assert early.speculation
    assert not again.speculation
    assert [message["content"] for message in cast("Any", again.context.messages)] == ["how much"]
    assert model.asked.empty()
