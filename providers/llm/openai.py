"""OpenAI's language models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from providers.addresses import SecureHttpUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.llm._chat import ChatLlm

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_LEAST_EFFORT = (
    (re.compile(r"^(ft:)?(gpt-[34]|chatgpt)"), None),
    (re.compile(r"^o\d"), "low"),
    (re.compile(r"^gpt-5(-mini|-nano)?(-\d{4}|$)"), "minimal"),
    (re.compile(""), "none"),
)
"""The least that each family thinks; the first that matches. The oldest take no such field."""


class OpenAiLlm(ChatLlm, frozen=True):
    """GPT models, by chat completions."""

    env: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)
    needs_network: ClassVar[bool] = True
    title: ClassVar[str] = "OpenAI"
    limit_field: ClassVar[Literal["max_tokens", "max_completion_tokens"]] = "max_completion_tokens"
    knows_developer: ClassVar[bool] = True

    provider: Literal["openai"] = "openai"
    model: str = "gpt-6-luna"
    """Small, quick and cheap; GPT-4.1 and GPT-4o, which many examples name, end in January 2027."""
    base_url: SecureHttpUrl = "https://api.openai.com/v1"
    """The API; `https://eu.api.openai.com/v1` for data that stays in Europe."""
    reasoning_effort: PerCall[
        Literal["least", "none", "minimal", "low", "medium", "high", "xhigh", "max"]
    ] = "least"
    """How much it thinks before it answers; `least` is the least that the model offers.

    From GPT-5.4 on, tools can be called by chat completions with `none` alone.
    """
    verbosity: PerCall[Literal["low", "medium", "high"] | None] = None
    """How much it says; from GPT-5 on."""
    frequency_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided the more often it was used."""
    presence_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided that was used at all."""
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    """The queue: `priority` costs more and is steadier, `flex` is for those who can wait."""
    prompt_cache_key: str | None = Field(default=None, max_length=64)
    """Sends calls of the same key to the same cache, where prompts begin alike."""

    def fields(self) -> Mapping[str, Any]:
        """What OpenAI's API has of its own."""
        return {
            "reasoning_effort": self._effort(),
            "verbosity": self.verbosity,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "service_tier": self.service_tier,
            "prompt_cache_key": self.prompt_cache_key,
        }

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        return self.service(endpoint("openai", self.base_url), secret("OPENAI_API_KEY"))

    def _effort(self) -> str | None:
        if self.reasoning_effort != "least":
            return self.reasoning_effort
        return next(effort for family, effort in _LEAST_EFFORT if family.match(self.model))
