"""Tells observers what they are for: a call's frames, and none of its sounds twice."""

from __future__ import annotations

from typing import Any, cast

from pipecat.frames.frames import InputAudioRawFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.worker import PipelineWorker
from pipecat.pipeline.worker_observer import WorkerObserver


class Watch(WorkerObserver):
    """Pipecat's own, which hands each observer each push and each processing by a queue.

    None of ours asks what was processed, and the caller's sound is told once: as it comes.
    """

    async def on_process_frame(self, data: FrameProcessed) -> None:
        """Nobody asks."""

    async def on_push_frame(self, data: FramePushed) -> None:
        """Hand it to the observers, unless it is sound on its way."""
        known = isinstance(data.frame, InputAudioRawFrame) and data.frame.id in self._frames_pushed
        if not known:
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
