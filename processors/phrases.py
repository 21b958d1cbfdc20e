"""The sound of a few short phrases, made ahead with a voice of its own, and kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
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
from pipecat.utils.asyncio.task_manager import TaskManager
from pipecat.workers.base_worker import WorkerParams

Samples = NDArray[np.int16]
Marks = tuple[tuple[float, int], ...]
"""When, in ms from the first sample, how many letters of the text have been said."""

LINE_SECS = 10.0
"""What a voice may take for a short line."""
KEPT_CLIPS = 128
"""How many a process keeps. A second at 24 kHz takes 48 kB, so lines of 3 s take 18 MB together."""

_END_SECS = 0.3
"""How long the voice may take to close its connections: a call that hangs up waits for it."""
_DROP_SECS = 0.1
"""How long what is left of it may take to see that it is cancelled."""
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
    marks: Marks = ()
    """Of its words, where the voice told them."""

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
        self._clips[voice, clip.text] = replace(clip, usage=())


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
    line_secs: float = LINE_SECS
    """How long the voice may take for one line; a slower one is given up, and the rest with it."""

    async def clips(
        self, rate_hz: int, *, free: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[Clip]:
        """Yield each line's clip as soon as it is there, one after the other, while all goes well.

        To be closed (`contextlib.aclosing`) by who does not exhaust it: that ends the voice, and
        within half a second, whatever the voice does.

        Args:
            rate_hz: Of the clips.
            free: Awaited before the voice is built and before each line is made: it comes back when
                no one else needs the machine. A sidecar's voice is light to build, a connection to
                the same process, but its lines are made by the cores that make the answers.
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
        await free()
        async with _speaking(await asyncio.to_thread(self.build), rate_hz) as speak:
            for line in missing:
                await free()
                clip = await speak(line, self.line_secs)
                if clip is None:
                    return
                self.shelf.put(key, clip)
                yield clip


def trim(samples: Samples, rate_hz: int) -> Samples:
    """Cut the silence before (all but 20 ms) and after (all but 60 ms); empty if all is silence."""
    return samples[_audible(samples, rate_hz)]


def _audible(samples: Samples, rate_hz: int) -> slice:
    """What `trim` keeps."""
    size = rate_hz * _WINDOW_MS // 1000
    whole = samples[: len(samples) // size * size].astype(np.float32).reshape(-1, size)
    level = np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.zeros(0, np.float32)
    audible = np.flatnonzero(level > level.max(initial=0.0) * _AUDIBLE)
    if not len(audible):
        return slice(0, 0)
    start = max(0, int(audible[0]) * size - rate_hz * _LEAD_MS // 1000)
    end = (int(audible[-1]) + 1) * size + rate_hz * _TAIL_MS // 1000
    return slice(start, end)


class _Keeper(FrameProcessor):
    """Keeps the sound that comes, until the voice has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
        """Whether the voice will not speak any more."""
        self.stopped = asyncio.Event()
        self._audio = bytearray()
        self._usage: list[TTSUsageMetricsData] = []
        self._words: list[AggregatedTextProgressFrame] = []
        self._sound_at_ns = 0
        self._failed = False
        """Whether the voice told of a fault: what it made may be a part."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._sound_at_ns = self._sound_at_ns or self.get_clock().get_time()
            self._audio += frame.audio
        elif isinstance(frame, AggregatedTextProgressFrame):
            self._words.append(frame)
        elif isinstance(frame, MetricsFrame):
            self._usage += [data for data in frame.data if isinstance(data, TTSUsageMetricsData)]
        elif isinstance(frame, TTSStoppedFrame):
            self.stopped.set()
        await self.push_frame(frame, direction)

    def leave(self, _: object) -> None:
        """The voice is gone; nobody needs to wait for it."""
        self.gone = True
        self.stopped.set()

    async def fail(self, _: object, __: object) -> None:
        """The voice tells of a fault."""
        self._failed = True

    def take(self, text: str, rate_hz: int) -> Clip | None:
        """What was said since the last time; None if that is nothing, or maybe a part."""
        samples = np.frombuffer(bytes(self._audio), np.int16)
        kept = _audible(samples, rate_hz)
        marks = self._marks(text, kept.start * 1000 / rate_hz)
        # Copied, so that the silence around it is not kept with it.
        clip = Clip(text, samples[kept].copy(), rate_hz, tuple(self._usage), marks)
        whole = len(clip.samples) > 0 and not self._failed
        self._failed, self._sound_at_ns = False, 0
        for part in (self._usage, self._words, self._audio):
            part.clear()
        self.stopped.clear()
        return clip if whole else None

    def _marks(self, text: str, cut_ms: float) -> Marks:
        """When how much of the text was said, by the voice's own account."""
        marks: list[tuple[float, int]] = []
        for word in self._words:
            letters = len(word.accumulated_text.rstrip())
            if word.text != text:
                # It was told in pieces, whose places in the text nobody tells.
                return ()
            if letters > (marks[-1][1] if marks else 0):
                at_ms = ((word.pts or 0) - self._sound_at_ns) / 1e6 - cut_ms
                marks.append((max(at_ms, marks[-1][0] if marks else 0.0), letters))
        return tuple(marks)


@asynccontextmanager
async def _speaking(
    voice: TTSService, rate_hz: int
) -> AsyncGenerator[Callable[[str, float], Awaitable[Clip | None]]]:
    """Run the voice alone; what is given says one line in so many seconds, or None."""
    keeper = _Keeper()
    voice.add_event_handler("on_error", keeper.fail)
    worker = PipelineWorker(
        Pipeline([voice, keeper]),
        params=PipelineParams(audio_out_sample_rate=rate_hz, enable_usage_metrics=True),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    tasks = TaskManager()
    run = worker.run(WorkerParams(task_manager=tasks))
    running = cast("asyncio.Task[None]", tasks.create_task(run, "phrases"))
    running.add_done_callback(keeper.leave)

    async def speak(line: str, within_secs: float) -> Clip | None:
        await worker.queue_frame(TTSSpeakFrame(line, append_to_context=False))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_secs):
                await keeper.stopped.wait()
        said = keeper.stopped.is_set() and not keeper.gone
        return keeper.take(line, rate_hz) if said else None

    try:
        yield speak
    finally:
        await _end(running, tasks)


async def _end(running: asyncio.Task[None], tasks: TaskManager) -> None:
    """Ask the voice to close, then drop what is left of it."""
    try:
        # The pipeline takes the first cancelling for a request, and the second for an order.
        running.cancel()
        await asyncio.wait({running}, timeout=_END_SECS)
    finally:
        left: set[asyncio.Task[None]] = {running, *tasks.current_tasks()}
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_DROP_SECS)
