"""Cartesia: text to speech over a WebSocket, with the time of each word."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.addresses import SecureWsUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class CartesiaTts(TtsConfig, frozen=True):
    """One socket a call; a reply is a context on it, so that its sentences sound as one."""

    env: ClassVar[tuple[str, ...]] = ("CARTESIA_API_KEY",)
    needs_network: ClassVar[bool] = True

    provider: Literal["cartesia"] = "cartesia"
    base_url: SecureWsUrl = "wss://api.cartesia.ai"
    """Where Cartesia, or a server of yours that speaks as it does, is."""
    model: str = Field(default="sonic-3.6", pattern=r"^[a-z0-9.-]{3,60}$")
    """As Cartesia names it."""
    voice: PerCall[str] = Field(
        default="f786b574-daa5-4673-aa0c-cbe3e8534c02", pattern=r"^[0-9a-f-]{36}$"
    )
    """Identity of a voice of the library, or of one of your own."""
    language: PerCall[str] = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")
    """The language that is spoken."""
    speed: PerCall[float | None] = Field(default=None, ge=0.6, le=1.5)
    """1.0 is the speaker's own; None leaves it to the voice."""
    volume: PerCall[float | None] = Field(default=None, ge=0.5, le=2.0)
    """1.0 is the voice's own."""
    emotion: PerCall[str | None] = Field(default=None, pattern=r"^[a-z/]{2,30}$")
    """For instance `calm`, `content`, `excited`, `sympathetic`; a hint to the model."""
    pronunciation_dict_id: str | None = None
    """A dictionary of your account: how its words are said."""
    max_buffer_delay_ms: int = Field(default=0, ge=0, le=5000)
    """How long Cartesia may wait for more text; whole clauses reach it, so it need not."""
    sample_rate_hz: Literal[8000, 16000, 22050, 24000, 44100, 48000] | None = None
    """Of the sound on the wire; the call's own if None."""

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from pipecat.services.cartesia.tts import GenerationConfig

        from providers.tts._cartesia_service import CartesiaService

        manner = GenerationConfig(volume=self.volume, speed=self.speed, emotion=self.emotion)
        return CartesiaService(
            api_key=secret("CARTESIA_API_KEY"),
            url=endpoint("cartesia", f"{self.base_url}/tts/websocket"),
            sample_rate=self.sample_rate_hz,
            max_buffer_delay_ms=self.max_buffer_delay_ms,
            # Texts of one reply are joined as they are.
            append_trailing_space=True,
            settings=CartesiaService.Settings(
                model=self.model,
                voice=self.voice,
                language=self.language,
                generation_config=manner if manner.model_dump(exclude_none=True) else None,
                pronunciation_dict_id=self.pronunciation_dict_id,
            ),
        )
