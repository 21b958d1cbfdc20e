"""The sound of a few short phrases, made ahead with a voice of its own, and kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    Frame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
)
from pipecat.metrics.metrics import TTSUsageMetricsData
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

Samples = NDArray[np.int16]

LINE_SECS = 10.0
"""How long the voice may take for one line; a slower one is given up, and the rest with it."""
KEPT_CLIPS = 128
"""How many a process keeps. A second at 24 kHz takes 48 kB."""

_END_SECS = 2.0
_WINDOW_MS = 10
_AUDIBLE = 0.01
"""Of the loudest window (-40 dB); less around the words is taken for silence."""
_LEAD_MS, _TAIL_MS = 20, 60


@dataclass(frozen=True)
class Clip:
    """One line, ready to be played."""

    text: str
    samples: Samples
    """Mono."""
    rate_hz: int
    usage: tuple[TTSUsageMetricsData, ...] = ()
    """What the voice counted for it; none for a clip that was kept."""

    @property
    def ms(self) -> float:
        """How long it is heard."""
        return len(self.samples) * 1000 / self.rate_hz


class Shelf:
    """Keeps clips from call to call, so that a line is paid for once; the oldest goes first."""

    def __init__(self, limit: int = KEPT_CLIPS) -> None:
        self._limit = limit
        self._clips: dict[tuple[str, str], Clip] = {}

    def get(self, voice: str, text: str) -> Clip | None:
        """The clip of `text` in that voice, if it is kept."""
        return self._clips.get((voice, text))

    def put(self, voice: str, clip: Clip) -> None:
        """Keep a clip; `voice` names all that shapes the sound: provider, settings, rate."""
        while len(self._clips) >= self._limit:
            del self._clips[next(iter(self._clips))]
        self._clips[voice, clip.text] = Clip(clip.text, clip.samples, clip.rate_hz)


SHELF = Shelf()
"""The process's own."""


@dataclass(frozen=True)
class Phrases:
    """Lines that one voice is to say.

    The voice is an instance of its own, built only if a line is not kept. So nothing that befalls
    it is felt in the call: no sentence waits behind it, no interruption kills it, no sound of it
    can reach the caller, and its failure is nobody's.
    """

    lines: Sequence[str]
    voice: str
    """Names all that shapes the sound; see `Shelf.put`."""
    build: Callable[[], TTSService]
    """Makes the voice; called in a thread."""
    shelf: Shelf = SHELF

    async def clips(self, rate_hz: int) -> AsyncGenerator[Clip]:
        """Yield each line's clip as soon as it is there, one after the other, while all goes well.

        Args:
            rate_hz: Of the clips.
        """
        key = f"{self.voice}@{rate_hz}"
        missing: list[str] = []
        for line in dict.fromkeys(self.lines):
            kept = self.shelf.get(key, line)
            if kept:
                yield kept
            else:
                missing.append(line)
        if not missing:
            return
        async with _speaking(await asyncio.to_thread(self.build), rate_hz) as speak:
            for line in missing:
                clip = await speak(line)
                if clip is None:
                    return
                self.shelf.put(key, clip)
                yield clip


def trim(samples: Samples, rate_hz: int) -> Samples:
    """Cut the silence before (all but 20 ms) and after (all but 60 ms); empty if all is silence."""
    size = rate_hz * _WINDOW_MS // 1000
    whole = samples[: len(samples) // size * size].astype(np.float32).reshape(-1, size)
    level = np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.zeros(0, np.float32)
    audible = np.flatnonzero(level > level.max(initial=0.0) * _AUDIBLE)
    if not len(audible):
        return samples[:0]
    start = max(0, int(audible[0]) * size - rate_hz * _LEAD_MS // 1000)
    end = (int(audible[-1]) + 1) * size + rate_hz * _TAIL_MS // 1000
    return samples[start:end]


class _Keeper(FrameProcessor):
    """Keeps the sound that comes, until the voice has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = asyncio.Event()
        self._audio = bytearray()
        self._usage: list[TTSUsageMetricsData] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._audio += frame.audio
        elif isinstance(frame, MetricsFrame):
            self._usage += [data for data in frame.data if isinstance(data, TTSUsageMetricsData)]
        elif isinstance(frame, TTSStoppedFrame):
            self.stopped.set()
        await self.push_frame(frame, direction)

    def take(self, text: str, rate_hz: int) -> Clip | None:
        """What was said since the last time; None if that is nothing."""
        samples = trim(np.frombuffer(bytes(self._audio), np.int16), rate_hz)
        usage, self._usage = tuple(self._usage), []
        self._audio.clear()
        self.stopped.clear()
        return Clip(text, samples, rate_hz, usage) if len(samples) else None


@asynccontextmanager
async def _speaking(
    voice: TTSService, rate_hz: int
) -> AsyncGenerator[Callable[[str], Awaitable[Clip | None]]]:
    """Run the voice alone; what is given says one line, or None."""
    keeper = _Keeper()
    worker = PipelineWorker(
        Pipeline([voice, keeper]),
        params=PipelineParams(audio_out_sample_rate=rate_hz, enable_usage_metrics=True),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())

    async def speak(line: str) -> Clip | None:
        await worker.queue_frame(TTSSpeakFrame(line, append_to_context=False))
        heard = asyncio.ensure_future(keeper.stopped.wait())
        await asyncio.wait({heard, running}, timeout=LINE_SECS, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        return keeper.take(line, rate_hz) if keeper.stopped.is_set() else None

    try:
        yield speak
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECS):
                await runner.cancel()
                await running
        running.cancel()
