"""Piper: text to speech on the CPU, offline, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.base import PerCall, Sidecar, Site
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class PiperTts(TtsConfig, frozen=True):
    """One voice a process; calls share it."""

    extra: ClassVar[str | None] = "local"
    packages: ClassVar[tuple[str, ...]] = ("piper",)

    provider: Literal["piper"] = "piper"
    voice: Literal["piper-en_US-joe-medium"] = "piper-en_US-joe-medium"
    """Name of the weights in `models.toml`."""
    speed: PerCall[float] = Field(default=1.0, ge=0.5, le=2.0)
    """1.0 is the speaker's own; 2.0 is twice as fast."""

    def weights(self) -> tuple[str, ...]:
        """The voice's weights."""
        return (self.voice,)

    def sidecars(self, site: Site) -> tuple[Sidecar, ...]:
        """The process that holds the voice."""
        folder = str(site.weights(self.voice))
        return (Sidecar(self.voice, "providers.tts.voice_server", ("piper", folder)),)

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from providers.tts._voice_service import VoiceTtsService

        return VoiceTtsService("Piper", base_url=site.url(self.voice), speed=self.speed)
