"""Speech to text behind a server of the operator's own that speaks OpenAI's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from providers.addresses import KeyEnv, ServerUrl
from providers.base import PerCall, Site, own_server, secret
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

_KEYLESS = "none"


class OpenAiCompatibleStt(SttConfig, frozen=True):
    """Speaches, whisper.cpp's server, vLLM, a gateway, OpenAI: `/audio/transcriptions`."""

    provider: Literal["openai_compatible"] = "openai_compatible"
    base_url: ServerUrl = "http://127.0.0.1:8000/v1"
    """The API's root."""
    key_env: KeyEnv | None = None
    """The environment variable that holds the key, if the server wants one."""
    model: str = Field(default="whisper-1", min_length=1, max_length=200)
    """The name that the server knows it by."""
    language: PerCall[str | None] = Field(default="en", pattern=r"^[a-z]{2,3}$")
    """ISO 639-1; None lets it guess, which is slower and sometimes wrong."""
    prompt: PerCall[str] = Field(default="", max_length=2000)
    """Names and spellings to expect, in a sentence."""
    temperature: PerCall[float] = Field(default=0.0, ge=0, le=1)
    """0 hears what is likeliest."""
    give_up_ms: int = Field(default=10_000, ge=500, le=60_000)
    """The longest wait for an answer, a second try included; then the words are lost."""
    final_p99_ms: int = Field(default=2000, ge=250, le=10_000)
    """From the end of speech to the final transcript, 99th percentile: measure your server's."""

    def variables(self) -> tuple[str, ...]:
        """The variable of the key, if the server wants one."""
        return (self.key_env,) if self.key_env else ()

    def server(self) -> str:
        """URL of the server, which must answer."""
        return self.base_url

    def build(self, site: Site) -> STTService:
        """Make the Pipecat service."""
        from providers.stt._openai_compatible_service import Api, TranscriptionService

        return TranscriptionService(
            Api(
                name="The recogniser's server",
                url=own_server(self.base_url),
                key=secret(self.key_env) if self.key_env else _KEYLESS,
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
