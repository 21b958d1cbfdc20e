"""Google's language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from providers.addresses import SecureHttpUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.llm._patience import PatientLlm, given

if TYPE_CHECKING:
    from google.genai.types import SafetySetting
    from pipecat.services.google.llm import GoogleLLMSettings, GoogleThinkingConfig
    from pipecat.services.llm_service import LLMService

_HARMS = (
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
)


class GoogleLlm(PatientLlm, frozen=True):
    """Gemini, by the Gemini API."""

    env: ClassVar[tuple[str, ...]] = ("GOOGLE_API_KEY",)
    extra: ClassVar[str | None] = "google"
    packages: ClassVar[tuple[str, ...]] = ("google.genai",)
    needs_network: ClassVar[bool] = True

    provider: Literal["google"] = "google"
    model: str = "gemini-3.6-flash"
    """The newest Flash that can all but leave off thinking; `gemini-3.5-flash-lite` is cheaper."""
    base_url: SecureHttpUrl = "https://generativelanguage.googleapis.com"
    """The API, or a gateway to it."""
    top_k: PerCall[int | None] = Field(default=None, ge=1, le=1000)
    """How many of the likeliest next tokens are chosen from; Google's default unless set."""
    seed: PerCall[int | None] = Field(default=None, ge=0, le=2_147_483_647)
    """Makes replies repeat themselves, as far as Google can."""
    frequency_penalty: PerCall[float | None] = Field(default=None, ge=-2, lt=2)
    """How much a token is avoided the more often it was used; not every model takes it."""
    presence_penalty: PerCall[float | None] = Field(default=None, ge=-2, lt=2)
    """How much a token is avoided that was used at all; not every model takes it."""
    thinking_level: PerCall[Literal["least", "minimal", "low", "medium", "high"]] = "least"
    """How much it thinks before it answers; `least` is the least that the model offers."""
    thinking_budget_tokens: int | None = Field(default=None, ge=-1, le=32_768)
    """Tokens to think in, for Gemini 2.5, which has no levels; 0 is not at all, -1 as it likes."""
    safety_threshold: (
        Literal["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "OFF"] | None
    ) = None
    """From which likelihood of harm on Google withholds an answer; Google's default unless set."""
    service_tier: Literal["standard", "flex", "priority"] | None = None
    """The queue: `priority` costs more and is steadier, `flex` is for those who can wait."""

    @model_validator(mode="after")
    def _one_way_to_think(self) -> GoogleLlm:
        if self.thinking_budget_tokens is not None and self.thinking_level != "least":
            raise ValueError("set thinking_level or thinking_budget_tokens, not both")
        return self

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        from providers.llm._clients import Endpoint
        from providers.llm._google_service import GoogleService

        line = Endpoint("Google", endpoint("google", self.base_url), secret("GOOGLE_API_KEY"))
        return GoogleService(line, self._settings(), self)

    def _settings(self) -> GoogleLLMSettings:
        from pipecat.services.google.llm import GoogleLLMSettings

        extra = {
            "stop_sequences": list(self.stop) or None,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "service_tier": self.service_tier,
        }
        return GoogleLLMSettings(
            model=self.model,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
            seed=self.seed,
            thinking=self._thinking(),
            safety_settings=self._safety(),
            extra=given(extra),
        )

    def _thinking(self) -> GoogleThinkingConfig | None:
        from pipecat.services.google.llm import GoogleThinkingConfig

        if self.thinking_budget_tokens is not None:
            return GoogleThinkingConfig(thinking_budget=self.thinking_budget_tokens)
        if self.thinking_level == "least":
            return None
        return GoogleThinkingConfig(thinking_level=self.thinking_level)

    def _safety(self) -> list[SafetySetting] | None:
        from google.genai.types import HarmBlockThreshold, HarmCategory, SafetySetting

        if self.safety_threshold is None:
            return None
        threshold = HarmBlockThreshold(self.safety_threshold)
        return [SafetySetting(category=HarmCategory(harm), threshold=threshold) for harm in _HARMS]
