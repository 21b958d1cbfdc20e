"""The Pipecat service behind the scripted voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from pipecat.frames.frames import Frame, TTSAudioRawFrame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from providers.tts._hum import hum

_CHUNK_SECS = 0.1


class SimulatedTtsService(TTSService):
    """Waits, then hums the whole sentence faster than it plays."""

    def __init__(self, *, ttfb_secs: float, char_secs: float, pitch_hz: float) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model="simulated", voice="hum", language=None),
        )
        self._ttfb_secs = ttfb_secs
        self._char_secs = char_secs
        self._pitch_hz = pitch_hz

    def can_generate_metrics(self) -> bool:
        """The waterfall needs its time to first byte."""
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the hum in chunks of 100 ms."""
        await self.start_tts_usage_metrics(text)
        await asyncio.sleep(self._ttfb_secs)
        await self.stop_ttfb_metrics()
        audio = hum(
            text,
            char_secs=self._char_secs,
            pitch_hz=self._pitch_hz,
            sample_rate_hz=self.sample_rate,
        )
        step = round(self.sample_rate * _CHUNK_SECS) * 2
        for start in range(0, len(audio), step):
            yield TTSAudioRawFrame(audio[start : start + step], self.sample_rate, 1, context_id)
