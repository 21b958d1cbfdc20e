"""Scripted voice: a tone as long as the words would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from providers.base import PerCall, Site
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class SimulatedTts(TtsConfig, frozen=True):
    """Hums each sentence, a syllable a pulse."""

    provider: Literal["simulated"] = "simulated"
    ttfb_ms: PerCall[int] = Field(default=100, ge=0, le=10_000)
    """From the request to the first sample."""
    char_ms: PerCall[int] = Field(default=60, ge=1, le=500)
    """How long a character is heard; people speak at 55 to 70."""
    pitch_hz: PerCall[int] = Field(default=220, ge=50, le=2000)
    """Frequency of the tone."""

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from providers.tts._simulated_service import SimulatedTtsService

        return SimulatedTtsService(
            ttfb_secs=self.ttfb_ms / 1000,
            char_secs=self.char_ms / 1000,
            pitch_hz=self.pitch_hz,
        )
