"""OpenTTS: many open voices behind one HTTP server of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from providers.addresses import ServerUrl
from providers.base import PerCall, Site, own_server
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class OpenTtsTts(TtsConfig, frozen=True):
    """A request for each sentence, answered by a WAV of any rate."""

    provider: Literal["opentts"] = "opentts"
    base_url: ServerUrl = "http://127.0.0.1:5500"
    """The server's address; its voices are listed there."""
    voice: PerCall[str] = Field(default="larynx:cmu_eey-glow_tts", max_length=200)
    """`ENGINE:VOICE`, or `ENGINE:VOICE#SPEAKER`."""
    language: PerCall[str] = Field(default="en", pattern=r"^[A-Za-z-]{2,10}$")
    """For voices that speak several."""
    quality: Literal["high", "medium", "low"] = "low"
    """Of Larynx's vocoder; `low` is the quickest."""
    denoiser_strength: float = Field(default=0.001, ge=0, le=1)
    """Of Larynx's vocoder; 0 is off."""
    cache: bool = True
    """Let the server keep sentences it has spoken."""
    give_up_ms: int = Field(default=10_000, ge=500, le=60_000)
    """How long the server may send nothing before the sentence is given up."""

    def server(self) -> str:
        """The server that must answer."""
        return self.base_url

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from pipecat.services.settings import TTSSettings

        from providers.tts._http_service import HttpVoice
        from providers.tts._opentts_service import OpenTtsService

        settings = TTSSettings(model="opentts", voice=self.voice, language=None)
        return OpenTtsService(
            HttpVoice(
                "OpenTTS",
                own_server(self.base_url),
                settings,
                quiet_secs=self.give_up_ms / 1000,
            ),
            query={
                "voice": self.voice,
                "lang": self.language,
                "vocoder": self.quality,
                "denoiserStrength": str(self.denoiser_strength),
                "cache": str(self.cache).lower(),
            },
        )
