"""The Pipecat service behind the scripted ears."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.utils.time import time_now_iso8601

_INTERIM_SECS = 0.3


class SimulatedSttService(STTService):
    """Says a growing part of the next line while the caller speaks, all of it afterwards."""

    def __init__(self, *, lines: tuple[str, ...], final_secs: float) -> None:
        super().__init__(
            audio_passthrough=True,
            ttfs_p99_latency=final_secs + 0.3,
            settings=STTSettings(model="simulated", language=None),
        )
        self._lines = itertools.cycle(lines)
        self._final_secs = final_secs
        self._line = ""
        self._talk: asyncio.Task[None] | None = None

    def can_generate_metrics(self) -> bool:
        """Usage is reported."""
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Ignore the audio; the script is driven by the VAD."""
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Start a line when the VAD hears speech, finish it when it hears none."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._line = self._line or next(self._lines)
            await self._say(self._partials())
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            await self._say(self._final())

    async def cleanup(self) -> None:
        """Stop talking."""
        if self._talk:
            await self.cancel_task(self._talk)
            self._talk = None
        await super().cleanup()

    async def _say(self, words: AsyncGenerator[Frame, None]) -> None:
        if self._talk:
            await self.cancel_task(self._talk)
        self._talk = self.create_task(self._push_all(words))

    async def _push_all(self, words: AsyncGenerator[Frame, None]) -> None:
        async for frame in words:
            await self.push_frame(frame)

    async def _partials(self) -> AsyncGenerator[Frame, None]:
        words = self._line.split()
        for count in range(1, len(words) + 1):
            await asyncio.sleep(_INTERIM_SECS)
            yield InterimTranscriptionFrame(" ".join(words[:count]), "caller", time_now_iso8601())

    async def _final(self) -> AsyncGenerator[Frame, None]:
        await asyncio.sleep(self._final_secs)
        line, self._line = self._line, ""
        await self.emit_stt_usage_metrics()
        if line:
            yield TranscriptionFrame(line, "caller", time_now_iso8601(), finalized=True)
