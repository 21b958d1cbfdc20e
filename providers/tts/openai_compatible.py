"""Any server with OpenAI's `/audio/speech`: Kokoro-FastAPI, Speaches, OpenAI itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue

from providers.addresses import KeyEnv, ServerUrl
from providers.base import PerCall, Site, own_server, secret
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService


class OpenAiCompatibleTts(TtsConfig, frozen=True):
    """A request for each sentence, whose sound is heard as it comes.

    The default is Kokoro-FastAPI on this machine. For OpenAI: `base_url =
    "https://api.openai.com/v1"`, `key_env = "OPENAI_API_KEY"`, `model = "gpt-4o-mini-tts"`,
    `voice = "marin"`.
    """

    provider: Literal["openai_compatible"] = "openai_compatible"
    base_url: ServerUrl = "http://127.0.0.1:8880/v1"
    """Everything before `/audio/speech`."""
    key_env: KeyEnv | None = None
    """The environment variable with the server's key; none is sent without it."""
    model: str = "kokoro"
    """As the server names it."""
    voice: PerCall[str] = Field(default="af_heart", max_length=200)
    """As the server names it."""
    speed: PerCall[float] = Field(default=1.0, ge=0.25, le=4.0)
    """1.0 is the speaker's own; 2.0 is twice as fast."""
    instructions: PerCall[str] = Field(default="", max_length=4000)
    """How to speak, in words, for models that can be told; none if empty."""
    response_format: Literal["pcm", "wav"] = "pcm"
    """`wav` tells its own rate; `pcm` comes without a header and must be of `sample_rate_hz`."""
    sample_rate_hz: int = Field(default=24_000, ge=8000, le=48_000)
    """Rate of `pcm`: 24000 from OpenAI and Kokoro. It is resampled to the call's."""
    request: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """More fields of the request, as the server knows them, for instance `lang_code`."""
    give_up_ms: int = Field(default=8000, ge=500, le=60_000)
    """How long the server may send nothing before the sentence is given up."""

    def variables(self) -> tuple[str, ...]:
        """The variable of the key, if the server wants one."""
        return (self.key_env,) if self.key_env else ()

    def server(self) -> str:
        """The server that must answer."""
        return self.base_url

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from pipecat.services.settings import TTSSettings

        from providers.tts._http_service import HttpVoice
        from providers.tts._openai_compatible_service import OpenAiCompatibleTtsService

        fields: dict[str, JsonValue] = self.request | {
            "model": self.model,
            "voice": self.voice,
            "speed": self.speed,
            "response_format": self.response_format,
        }
        if self.instructions:
            fields["instructions"] = self.instructions
        settings = TTSSettings(model=self.model, voice=self.voice, language=None)
        return OpenAiCompatibleTtsService(
            HttpVoice(
                "The speech server",
                own_server(self.base_url),
                settings,
                quiet_secs=self.give_up_ms / 1000,
                key=secret(self.key_env) if self.key_env else None,
            ),
            fields=fields,
            rate_hz=self.sample_rate_hz if self.response_format == "pcm" else None,
        )
