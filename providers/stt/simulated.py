"""Scripted ears: each stretch of speech is heard as the script's next line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from providers.base import PerCall, Site
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService


class SimulatedStt(SttConfig, frozen=True):
    """Hears nothing of the audio: the VAD says when, the script says what."""

    provider: Literal["simulated"] = "simulated"
    lines: PerCall[tuple[str, ...]] = Field(
        default=(
            "hello there",
            "when are you open on monday",
            "how much is a check-up",
            "thank you goodbye",
        ),
        min_length=1,
        max_length=100,
    )
    """What is heard, in turn; the last line is followed by the first."""
    final_ms: PerCall[int] = Field(default=100, ge=0, le=5000)
    """From the VAD's stop to the final transcript."""

    def build(self, site: Site) -> STTService:
        """Make the Pipecat service."""
        from providers.stt._simulated_service import SimulatedSttService

        return SimulatedSttService(lines=self.lines, final_secs=self.final_ms / 1000)
