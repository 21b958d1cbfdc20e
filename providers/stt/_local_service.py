"""The Pipecat service around a local decoder: `_segmenter` decides, a thread of its own decodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterimTranscriptionFrame,
    StartFrame,
    STTMuteFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transcriptions.language import Language
from pipecat.turns.eager_end_of_turn_mixin import EagerEndOfTurnSTTServiceMixin
from pipecat.utils.time import time_now_iso8601

from providers.stt._segmenter import (
    Event,
    Final,
    Job,
    LikelyEnd,
    Partial,
    Resumed,
    Segmenter,
    SegmenterTuning,
)


class Decoder(Protocol):
    """Turns audio into text; blocks, and is never called twice at once."""

    def decode(self, audio: bytes, sample_rate_hz: int) -> str:
        """Transcribe int16 LE mono audio."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class LocalSttService(EagerEndOfTurnSTTServiceMixin, STTService):
    """Streams partials, announces a likely end early, and has the final text when the VAD stops.

    A segment (from the VAD's start to its stop) ends in one `TranscriptionFrame(finalized=True)`,
    or in none if nothing was said. Before it, an `EagerTranscriptionFrame` may carry the
    segment's text as soon as it falls quiet; an `EagerEndOfTurnCancelFrame` takes it back.
    The turn itself is left to the pipeline's own strategies.

    Owns the decoder: `cleanup()` closes it.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        model: str,
        final_p99_secs: float,
        tuning: SegmenterTuning | None = None,
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            enable_eager_end_of_turn=True,
            ttfs_p99_latency=final_p99_secs,
            settings=STTSettings(model=model, language=Language.EN),
        )
        self._decoder: Decoder | None = decoder
        self._tuning = tuning
        self._segmenter = Segmenter(16_000, tuning)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="stt")
        self._jobs: asyncio.Queue[Job | None] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    def can_generate_metrics(self) -> bool:
        """Time to first byte and usage are reported."""
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Learn the sample rate."""
        await super().setup(setup)
        self._segmenter = Segmenter(self.sample_rate, self._tuning)

    async def start(self, frame: StartFrame) -> None:
        """Start decoding."""
        await super().start(frame)
        self._worker = self.create_task(self._work())  # pyright: ignore[reportUnknownMemberType]

    async def stop(self, frame: EndFrame) -> None:
        """Finish what was asked for, then stop."""
        if self._worker:
            self._jobs.put_nowait(None)
            await self._worker
            self._worker = None
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        """Stop at once."""
        await self._stop_work()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        """Free the thread and the model, once a decode under way is done."""
        await super().cleanup()
        await self._stop_work()
        if self._decoder:
            decoder, self._decoder = self._decoder, None
            await asyncio.get_running_loop().run_in_executor(self._executor, decoder.close)
            # It has nothing left to do; when the call is over, so is its thread.
            self._executor.shutdown()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Take the next audio; what comes of it is pushed when it is ready."""
        await self._handle(self._segmenter.audio(audio))
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Follow the VAD, whose frames come upstream from the user aggregator."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            await self._handle(self._segmenter.speech_started())
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            await self._handle(self._segmenter.speech_stopped())
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._clear_eager_end_of_turn()
        elif isinstance(frame, STTMuteFrame) and frame.mute:
            self._segmenter.reset()
            await self._cancel_eager_end_of_turn()

    async def _work(self) -> None:
        while job := await self._jobs.get():
            text = await self._decode(job) if self._segmenter.wants(job) else ""
            await self._handle(self._segmenter.decoded(job, text))

    async def _decode(self, job: Job) -> str:
        assert self._decoder
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._decoder.decode, job.audio, self.sample_rate
            )
        except (RuntimeError, ValueError) as error:
            await self.push_error(f"Transcription failed: {error}", exception=error)
            return ""

    async def _handle(self, events: list[Event]) -> None:
        for event in events:
            await self._handle_one(event)

    async def _handle_one(self, event: Event) -> None:
        now = time_now_iso8601()
        match event:
            case Job():
                self._jobs.put_nowait(event)
            case Partial(text):
                await self.push_frame(
                    InterimTranscriptionFrame(text, self._user_id, now, Language.EN)
                )
            case LikelyEnd(text):
                await self._push_eager_end_of_turn(
                    text, user_id=self._user_id, language=Language.EN
                )
            case Resumed():
                await self._cancel_eager_end_of_turn()
            case Final(text, speaking):
                await self._push_final(text, speaking)

    async def _push_final(self, text: str, speaking: bool) -> None:
        await self.emit_stt_usage_metrics()
        if not text:
            logger.debug("{}: nothing was said", self)
            await self._cancel_eager_end_of_turn()
            return
        await self.push_frame(
            TranscriptionFrame(
                text, self._user_id, time_now_iso8601(), Language.EN, finalized=not speaking
            )
        )

    async def _stop_work(self) -> None:
        if self._worker:
            await self.cancel_task(self._worker)  # pyright: ignore[reportUnknownMemberType]
            self._worker = None
