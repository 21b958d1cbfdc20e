"""Deepgram Aura: text to speech over a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.addresses import SecureWsUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class DeepgramTts(TtsConfig, frozen=True):
    """One socket a call. It tells no word's time: what an interruption cut is estimated."""

    env: ClassVar[tuple[str, ...]] = ("DEEPGRAM_API_KEY",)
    needs_network: ClassVar[bool] = True

    provider: Literal["deepgram"] = "deepgram"
    base_url: SecureWsUrl = "wss://api.deepgram.com"
    """Deepgram's servers, for instance in the EU, or your own."""
    voice: PerCall[str] = Field(default="aura-2-thalia-en", pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")
    """Model, speaker and language in one: `aura-2-SPEAKER-LANGUAGE`."""
    speed: PerCall[float | None] = Field(default=None, ge=0.7, le=1.5)
    """1.0 is the speaker's own; Aura 2 in English and Spanish only. None asks for nothing."""
    sample_rate_hz: Literal[8000, 16000, 24000, 32000, 48000] | None = None
    """Of the sound on the wire; the call's own if None."""
    mip_opt_out: bool = False
    """Keep the call out of Deepgram's model improvement; it may cost more."""

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from providers.tts._deepgram_service import DeepgramService

        return DeepgramService(
            api_key=secret("DEEPGRAM_API_KEY"),
            base_url=endpoint("deepgram", self.base_url),
            sample_rate=self.sample_rate_hz,
            mip_opt_out=True if self.mip_opt_out else None,
            settings=DeepgramService.Settings(voice=self.voice, model=self.voice, speed=self.speed),
        )
