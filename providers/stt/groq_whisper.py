"""Groq: Whisper in the cloud, a request for each stretch of speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.addresses import SecureHttpUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService


class GroqWhisperStt(SttConfig, frozen=True):
    """Quick and cheap; no words before the caller has paused."""

    env: ClassVar[tuple[str, ...]] = ("GROQ_API_KEY",)
    needs_network: ClassVar[bool] = True

    provider: Literal["groq_whisper"] = "groq_whisper"
    base_url: SecureHttpUrl = "https://api.groq.com/openai/v1"
    """Groq's API, or what stands before it."""
    model: str = Field(default="whisper-large-v3-turbo", pattern=r"^[a-z0-9][a-z0-9.-]{1,60}$")
    """`whisper-large-v3-turbo`, or the slower and better `whisper-large-v3`."""
    language: PerCall[str | None] = Field(default="en", pattern=r"^[a-z]{2,3}$")
    """ISO 639-1; None lets it guess, which is slower and sometimes wrong."""
    prompt: PerCall[str] = Field(default="", max_length=800)
    """Names and spellings to expect, in a sentence."""
    temperature: PerCall[float] = Field(default=0.0, ge=0, le=1)
    """0 hears what is likeliest."""
    give_up_ms: int = Field(default=5000, ge=500, le=60_000)
    """The longest wait for an answer, a second try included; then the words are lost."""
    final_p99_ms: int = Field(default=1540, ge=250, le=10_000)
    """From the end of speech to the final transcript, 99th percentile; Pipecat measured 1540."""

    def build(self, site: Site) -> STTService:
        """Make the Pipecat service."""
        from providers.stt._openai_compatible_service import Api, TranscriptionService

        return TranscriptionService(
            Api(
                name="Groq",
                url=endpoint("groq", self.base_url),
                key=secret("GROQ_API_KEY"),
                give_up_secs=self.give_up_ms / 1000,
            ),
            ttfs_p99_latency=self.final_p99_ms / 1000,
            settings=TranscriptionService.Settings(
                model=self.model,
                language=self.language,
                prompt=self.prompt or None,
                temperature=self.temperature,
            ),
        )
