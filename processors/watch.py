"""Tells observers what they are for: a call's frames, and of its sound that it goes on."""

from __future__ import annotations

from typing import Any, cast

from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.worker import PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver

SOUND_NS = 100_000_000
"""How often the caller's sound is told of: for observers it is a clock, by which they tell what is
settled."""


class Watch(WorkerObserver):
    """Pipecat's own, which hands each observer each push and each processing by a queue.

    None of ours asks what was processed, or what is in the caller's sound: that is told of as it
    comes, and now and then.
    """

    _sound_ns = -SOUND_NS
    """When sound was told of last, on the pipeline's clock."""

    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Nobody asks."""

    async def on_push_frame(self, data: FramePushed) -> None:
        """Hand it to the observers, unless it is more of the caller's sound."""
        if isinstance(data.frame, InputAudioRawFrame):
            if data.timestamp - self._sound_ns < SOUND_NS:
                return
            self._sound_ns = data.timestamp
        await super().on_push_frame(data)


def watch(worker: PipelineWorker) -> PipelineWorker:
    """Have that worker, which has not run yet, tell its observers so; the same worker.

    Raises:
        TypeError: One of them asks what was processed.
    """
    inner = cast(Any, worker)
    observers: list[BaseObserver] = inner._observer._observers
    for observer in observers:
        if type(observer).on_process_frame is not BaseObserver.on_process_frame:
            raise TypeError(f"{observer} would be told nothing of what was processed")
    inner._observer = Watch(observers=observers)
    return worker
