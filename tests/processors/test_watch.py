"""Observers are told of each frame, and of the caller's sound now and then."""

from __future__ import annotations

from collections import Counter

import pytest
from pipecat.frames.frames import InputAudioRawFrame, TextFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.workers.runner import WorkerRunner

from processors.watch import watch

pytestmark = pytest.mark.integration

SOUNDS = 50


class _Pushes(BaseObserver):
    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    async def on_push_frame(self, data: FramePushed) -> None:
        self.seen[type(data.frame).__name__] += 1


class _Processings(BaseObserver):
    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Asks."""


async def told(*, watched: bool) -> Counter[str]:
    pushes = _Pushes()
    worker = PipelineWorker(Pipeline([IdentityFilter(), IdentityFilter()]), observers=[pushes])
    if watched:
        assert watch(worker) is worker
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    sound = [InputAudioRawFrame(bytes(640), 16_000, 1) for _ in range(SOUNDS)]
    await worker.queue_frames([*sound, TextFrame("hello")])
    await worker.stop_when_done()
    await runner.run()
    return pushes.seen


async def test_words_are_told_each_time_they_are_pushed_and_sound_now_and_then() -> None:
    theirs, ours = await told(watched=False), await told(watched=True)
    assert theirs["InputAudioRawFrame"] > SOUNDS
    assert 1 <= ours["InputAudioRawFrame"] < SOUNDS
    assert ours["TextFrame"] == theirs["TextFrame"] > 1


async def test_who_asks_what_was_processed_is_not_kept_waiting_for_it() -> None:
    worker = PipelineWorker(Pipeline([IdentityFilter()]), observers=[_Processings()])
    with pytest.raises(TypeError, match="processed"):
        watch(worker)
