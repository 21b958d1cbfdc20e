"""Anthropic's language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from providers.addresses import SecureHttpUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.llm._patience import PatientLlm, given

if TYPE_CHECKING:
    from pipecat.services.anthropic.llm import AnthropicLLMSettings, AnthropicThinkingConfig
    from pipecat.services.llm_service import LLMService


class AnthropicLlm(PatientLlm, frozen=True):
    """Claude. Tools are called one at a time."""

    env: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY",)
    extra: ClassVar[str | None] = "anthropic"
    packages: ClassVar[tuple[str, ...]] = ("anthropic",)
    needs_network: ClassVar[bool] = True

    provider: Literal["anthropic"] = "anthropic"
    model: str = "claude-haiku-5-5"
    """The quickest Claude to begin an answer."""
    base_url: SecureHttpUrl = "https://api.anthropic.com"
    """The API, or a gateway to it."""
    temperature: PerCall[float | None] = Field(default=None, ge=0, le=1)
    """How freely it talks; models from Claude 5 on take none."""
    top_k: PerCall[int | None] = Field(default=None, ge=1, le=500)
    """How many of the likeliest next tokens are chosen from; models from Claude 5 on take none."""
    thinking: PerCall[Literal["least", "disabled", "adaptive", "between_tools"]] = "least"
    """When it thinks before it answers; `least` is the least that the model offers."""
    thinking_budget_tokens: int | None = Field(default=None, ge=1024, le=32_000)
    """Tokens to think in; for models up to Claude 4.5 and only those. They are part of
    `max_tokens`, which must be set to more: its default is the least that can be thought in."""
    effort: PerCall[Literal["low", "medium", "high", "xhigh", "max"] | None] = None
    """How thorough it is, in thoughts and words; the model's default unless set."""
    prompt_caching: bool = True
    """Whether the prompt and the talk so far are read once: quicker and cheaper from turn two."""
    prompt_cache_life: Literal["5m", "1h"] = "5m"
    """How long the bot's prompt stays cached while nobody calls; an hour costs more to write."""
    service_tier: Literal["auto", "standard_only"] | None = None
    """Whether capacity that was bought ahead is used."""

    @field_validator("thinking_budget_tokens")
    @classmethod
    def _leaves_room_for_words(cls, budget: int | None, info: ValidationInfo) -> int | None:
        limit: int | None = info.data.get("max_tokens")
        if budget is not None and limit is not None and budget >= limit:
            raise PydanticCustomError(
                "thinking_budget", "it must be less than max_tokens, {limit}", {"limit": limit}
            )
        return budget

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        from providers.llm._anthropic_service import AnthropicService
        from providers.llm._clients import Endpoint

        url = endpoint("anthropic", self.base_url)
        line = Endpoint("Anthropic", url, secret("ANTHROPIC_API_KEY"))
        return AnthropicService(line, self._settings(), self)

    def _settings(self) -> AnthropicLLMSettings:
        from pipecat.services.anthropic.llm import AnthropicLLMSettings

        extra = {"stop_sequences": list(self.stop) or None, "service_tier": self.service_tier}
        settings = AnthropicLLMSettings(
            model=self.model,
            max_tokens=self.max_tokens,
            enable_prompt_caching=self.prompt_caching,
            system_prompt_cache_ttl=self.prompt_cache_life,
            effort=self.effort,
            extra={**given(extra), "extra_body": self.request},
            **given({"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}),
        )
        if thinking := self._thinking():
            settings.thinking = thinking
        return settings

    def _thinking(self) -> AnthropicThinkingConfig | None:
        from pipecat.services.anthropic.llm import AnthropicThinkingConfig

        if self.thinking_budget_tokens is not None:
            return AnthropicThinkingConfig(
                type="enabled", budget_tokens=self.thinking_budget_tokens
            )
        return None if self.thinking == "least" else AnthropicThinkingConfig(type=self.thinking)
