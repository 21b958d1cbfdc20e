"""What recognisers on this machine have in common: segments, partials, a likely end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from providers.base import PerCall
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

    from providers.stt._local_service import Decoder


class LocalStt(SttConfig, frozen=True):
    """A model that is loaded for the call; what it decodes when is decided beside it."""

    model: str
    """Name of the weights in `models.toml`."""
    partial_ms: PerCall[int] = Field(default=500, ge=200, le=5000)
    """Audio between two partial transcripts; a tenth of the segment where that is longer, more
    where a decode takes more than half of it."""
    quiet_ms: PerCall[int] = Field(default=100, ge=50, le=500)
    """Quiet after which the final transcript is prepared, before the VAD stops."""
    likely_end_ms: PerCall[int] = Field(default=180, ge=50, le=1000)
    """Quiet after which that transcript is announced, for answers that start early."""
    preroll_ms: int = Field(default=600, ge=200, le=2000)
    """Audio kept from before the VAD heard speech, which it does 200 ms late or later."""
    final_p99_ms: int = Field(default=500, ge=250, le=10_000)
    """From the end of speech to the final transcript, 99th percentile; 200 ms are the VAD's."""

    def weights(self) -> tuple[str, ...]:
        """The recogniser's weights."""
        return (self.model,)

    def service(self, decoder: Decoder) -> STTService:
        """The Pipecat service around a loaded model."""
        from providers.stt._local_service import LocalSttService
        from providers.stt._segmenter import SegmenterTuning

        return LocalSttService(
            decoder,
            model=self.model,
            final_p99_secs=self.final_p99_ms / 1000,
            tuning=SegmenterTuning(
                preroll_ms=self.preroll_ms,
                partial_ms=self.partial_ms,
                quiet_ms=self.quiet_ms,
                likely_end_ms=self.likely_end_ms,
            ),
        )
