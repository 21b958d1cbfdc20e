"""A running pipeline around the processors under test, and all that comes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pipecat.frames.frames import EndFrame, Frame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

F = TypeVar("F", bound=Frame)

WAIT_SECS = 30.0


class Tap(FrameProcessor):
    """Notes every frame that passes, with the loop's time."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.seen: list[tuple[float, Frame]] = []
        self._more = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.seen.append((asyncio.get_running_loop().time(), frame))
        self._more.set()
        await self.push_frame(frame, direction)

    def of(self, kind: type[F]) -> list[F]:
        """The frames of that kind so far."""
        return [frame for _, frame in self.seen if isinstance(frame, kind)]

    async def wait(self, kind: type[F], count: int = 1) -> list[F]:
        """Wait until so many of that kind have passed."""
        async with asyncio.timeout(WAIT_SECS):
            while len(found := self.of(kind)) < count:
                self._more.clear()
                await self._more.wait()
        return found


@dataclass(frozen=True)
class Flow:
    """A pipeline that runs."""

    tap: Tap
    """Behind the first processor... or wherever the test put it."""
    worker: PipelineWorker

    async def send(self, *frames: Frame) -> None:
        """Queue frames at the pipeline's start."""
        for frame in frames:
            await self.worker.queue_frame(frame)


@asynccontextmanager
async def flowing(*processors: FrameProcessor, **params: Any) -> AsyncGenerator[Flow]:
    """Run a pipeline of `processors`, a tap behind the last unless one is among them."""
    taps = [processor for processor in processors if isinstance(processor, Tap)]
    tap = taps[0] if taps else Tap()
    worker = PipelineWorker(
        Pipeline([*processors, *([] if taps else [tap])]),
        params=PipelineParams(**params),
        enable_rtvi=False,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runner.run())
        yield Flow(tap, worker)
        await worker.queue_frame(EndFrame())
        async with asyncio.timeout(WAIT_SECS):
            await running
