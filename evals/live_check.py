"""Tries each provider once: the model is asked, the voice speaks, the ears hear the voice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loguru import logger
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from errors import OffhookError
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from pipelines.transports import AUDIO_IN_HZ, AUDIO_OUT_HZ

if TYPE_CHECKING:
    from pipelines.config import PipelineConfig
    from providers.base import StageConfig
    from providers.models import ModelStore

PATIENCE_SECS = 20.0
_SENTENCE = "Hello, this is a test of the line."
_FRAME_SECS = 0.02
_SILENCE_SECS = 0.5


@dataclass(frozen=True)
class TriedStage:
    """What one provider did."""

    stage: str
    provider: str
    ttfb_ms: float | None
    """From the request (for `stt`: from the end of speech) to the first of the answer; None if
    there was none."""
    said: str
    """The answer, or what went wrong."""


@dataclass
class _Catch:
    """The frames that came out, and when the first that counts did."""

    wanted: type[Frame]
    frames: list[Frame] = field(default_factory=list[Frame])
    error: str = ""
    first_at_secs: float | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    last: type[Frame] | None = None
    """Ends the catch; the first wanted frame does if None."""

    def take(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame):
            self.error = frame.error
            self.done.set()
        if isinstance(frame, self.wanted):
            self.first_at_secs = self.first_at_secs or asyncio.get_running_loop().time()
            self.frames.append(frame)
        if isinstance(frame, self.last or self.wanted):
            self.done.set()


class _Sink(FrameProcessor):
    """Shows every frame that passes to the catch."""

    def __init__(self, catch: _Catch) -> None:
        super().__init__()
        self._catch = catch

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self._catch.take(frame)
        await self.push_frame(frame, direction)


async def try_stages(config: PipelineConfig, models: ModelStore) -> list[TriedStage]:
    """Ask each provider of `config` once, for real; local ones are started for it."""
    async with Sidecars() as sidecars:
        site = LocalSite(models, sidecars)
        try:
            await site.prepare(config)
        except OffhookError as error:
            return [TriedStage("all", config.name, None, error.message)]
        wits = await _attempt("llm", config.llm, lambda: _ask(config, site))
        voice = await _attempt("tts", config.tts, lambda: _speak(config, site))
        ears = await _attempt("stt", config.stt, lambda: _hear(config, site, voice.frames))
    return [ears.told, wits.told, voice.told]


@dataclass(frozen=True)
class _Attempt:
    told: TriedStage
    frames: list[Frame]


async def _attempt(
    stage: str, config: StageConfig, trial: Callable[[], Awaitable[tuple[_Catch, float]]]
) -> _Attempt:
    try:
        async with asyncio.timeout(PATIENCE_SECS):
            catch, asked_at_secs = await trial()
    except TimeoutError:
        said = f"nothing within {PATIENCE_SECS:.0f} s"
        return _Attempt(TriedStage(stage, config.provider, None, said), [])
    except OffhookError as error:
        return _Attempt(TriedStage(stage, config.provider, None, error.message), [])
    if catch.first_at_secs is None:
        return _Attempt(TriedStage(stage, config.provider, None, catch.error), [])
    ttfb_ms = (catch.first_at_secs - asked_at_secs) * 1000
    return _Attempt(TriedStage(stage, config.provider, ttfb_ms, _said(catch.frames)), catch.frames)


def _said(frames: list[Frame]) -> str:
    words = "".join(str(getattr(frame, "text", "")) for frame in frames)
    if words:
        return words.strip()
    seconds = sum(f.num_frames / f.sample_rate for f in frames if isinstance(f, TTSAudioRawFrame))
    return f"{seconds:.1f} s of audio"


async def _ask(config: PipelineConfig, site: LocalSite) -> tuple[_Catch, float]:
    llm = await asyncio.to_thread(config.llm.build, site)
    context = LLMContext([{"role": "user", "content": "Say good morning."}])
    catch = _Catch(LLMTextFrame, last=LLMFullResponseEndFrame)
    async with _Line(llm, catch) as line:
        asked_at_secs = await line.send(LLMContextFrame(context))
        await catch.done.wait()
    return catch, asked_at_secs


async def _speak(config: PipelineConfig, site: LocalSite) -> tuple[_Catch, float]:
    tts = await asyncio.to_thread(config.tts.build, site)
    catch = _Catch(TTSAudioRawFrame, last=TTSStoppedFrame)
    async with _Line(tts, catch) as line:
        asked_at_secs = await line.send(TTSSpeakFrame(_SENTENCE))
        await catch.done.wait()
    return catch, asked_at_secs


async def _hear(
    config: PipelineConfig, site: LocalSite, spoken: list[Frame]
) -> tuple[_Catch, float]:
    """Let the ears hear what the voice said, in real time; timed from its end."""
    if not spoken:
        raise OffhookError("there was no speech to try it with, since the voice did not speak")
    stt = await asyncio.to_thread(config.stt.build, site)
    catch = _Catch(TranscriptionFrame)
    async with _Line(stt, catch) as line:
        await line.send(VADUserStartedSpeakingFrame())
        pieces = _as_microphone(spoken)
        quiet = bytes(len(pieces[0]))
        for piece in pieces:
            await line.play(piece)
        asked_at_secs = asyncio.get_running_loop().time()
        for _ in range(round(_SILENCE_SECS / _FRAME_SECS)):
            await line.play(quiet)
        await line.send(VADUserStoppedSpeakingFrame(stop_secs=_SILENCE_SECS))
        while not catch.done.is_set():
            await line.play(quiet)
    return catch, asked_at_secs


def _as_microphone(spoken: list[Frame]) -> list[bytes]:
    """The voice's audio in 20 ms pieces at the rate of the ears; int16 LE mono."""
    import numpy as np
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    audio = [frame for frame in spoken if isinstance(frame, TTSAudioRawFrame)]
    samples = np.frombuffer(b"".join(frame.audio for frame in audio), "<i2")
    resampled: Any = soxr.resample(samples, audio[0].sample_rate, AUDIO_IN_HZ)
    data: bytes = resampled.astype("<i2").tobytes()
    step = int(AUDIO_IN_HZ * _FRAME_SECS) * 2
    return [data[start : start + step] for start in range(0, len(data) - step + 1, step)]


class _Line:
    """A pipeline of one service, running while the block does."""

    def __init__(self, service: FrameProcessor, catch: _Catch) -> None:
        self._catch = catch
        self._worker = PipelineWorker(
            Pipeline([service, _Sink(catch)]),
            params=PipelineParams(
                audio_in_sample_rate=AUDIO_IN_HZ, audio_out_sample_rate=AUDIO_OUT_HZ
            ),
            enable_rtvi=False,
            idle_timeout_secs=None,
        )
        self._runner = WorkerRunner(handle_sigint=False)
        self._started = asyncio.Event()
        self._running: asyncio.Future[None] | None = None

    async def __aenter__(self) -> _Line:
        @self._worker.event_handler("on_pipeline_started")
        async def started(_: PipelineWorker, __: Frame) -> None:
            self._started.set()

        @self._worker.event_handler("on_pipeline_error")
        async def failed(_: PipelineWorker, frame: ErrorFrame) -> None:
            self._catch.take(frame)

        await self._runner.add_workers(self._worker)
        self._running = asyncio.ensure_future(self._runner.run())
        try:
            await self._started.wait()
        except asyncio.CancelledError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cancel()
        if self._running:
            await asyncio.wait({self._running}, timeout=5.0)
        logger.debug("tried {}", self._worker.name)

    async def send(self, frame: Frame) -> float:
        """Queue a frame; when that was, on the loop's clock."""
        await self._worker.queue_frame(frame)
        return asyncio.get_running_loop().time()

    async def play(self, audio: bytes) -> None:
        """Queue 20 ms of audio and wait as long."""
        await self.send(InputAudioRawFrame(audio, AUDIO_IN_HZ, 1))
        await asyncio.sleep(_FRAME_SECS)
