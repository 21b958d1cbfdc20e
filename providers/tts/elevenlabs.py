"""ElevenLabs: text to speech over a WebSocket, with the time of each word."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.addresses import SecureWsUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class ElevenLabsTts(TtsConfig, frozen=True):
    """One socket a call; a reply is a context on it, so that its sentences sound as one."""

    env: ClassVar[tuple[str, ...]] = ("ELEVENLABS_API_KEY",)
    needs_network: ClassVar[bool] = True

    provider: Literal["elevenlabs"] = "elevenlabs"
    base_url: SecureWsUrl = "wss://api.elevenlabs.io"
    """ElevenLabs' servers, for instance `wss://api.eu.residency.elevenlabs.io`."""
    model: str = Field(default="eleven_flash_v2_5", pattern=r"^[a-z0-9_]{3,60}$")
    """`eleven_flash_v2_5` is the quickest."""
    voice: PerCall[str] = Field(default="EXAVITQu4vr4xnSDxMaL", pattern=r"^[A-Za-z0-9]{10,40}$")
    """Identity of a voice of the library, or of one of your own."""
    language: PerCall[str | None] = Field(default=None, pattern=r"^[a-z]{2,3}$")
    """For models that speak several; heard from the text if None."""
    stability: PerCall[float | None] = Field(default=None, ge=0, le=1)
    """High is even, low is lively; None leaves it to the voice."""
    similarity: PerCall[float | None] = Field(default=None, ge=0, le=1)
    """How close to the recorded speaker; None leaves it to the voice."""
    style: PerCall[float | None] = Field(default=None, ge=0, le=1)
    """How much of the speaker's manner is exaggerated; above 0 it takes longer."""
    speaker_boost: PerCall[bool | None] = None
    """More like the speaker, a little later."""
    speed: PerCall[float | None] = Field(default=None, ge=0.7, le=1.2)
    """1.0 is the speaker's own; None leaves it to the voice."""
    text_normalization: Literal["auto", "on", "off"] = "auto"
    """Whether ElevenLabs spells out numbers; most of what reaches it is words already."""
    auto_mode: bool = True
    """Speak each text at once: whole clauses reach it, so it need not wait for more."""
    latency_level: int | None = Field(default=None, ge=0, le=4)
    """0 to 4: latency over quality; ElevenLabs has deprecated it. None asks for nothing."""
    logging: bool = True
    """False asks for zero retention, which needs an enterprise account."""
    sample_rate_hz: Literal[8000, 16000, 22050, 24000, 44100, 48000] | None = None
    """Of the sound on the wire; the call's own if None."""

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from providers.tts._elevenlabs_service import ElevenLabsService

        return ElevenLabsService(
            api_key=secret("ELEVENLABS_API_KEY"),
            url=endpoint("elevenlabs", self.base_url),
            latency_level=self.latency_level,
            sample_rate=self.sample_rate_hz,
            auto_mode=self.auto_mode,
            enable_logging=None if self.logging else False,
            # Texts of one reply are joined as they are.
            append_trailing_space=True,
            settings=ElevenLabsService.Settings(
                model=self.model,
                voice=self.voice,
                language=self.language,
                stability=self.stability,
                similarity_boost=self.similarity,
                style=self.style,
                use_speaker_boost=self.speaker_boost,
                speed=self.speed,
                apply_text_normalization=self.text_normalization,
            ),
        )
