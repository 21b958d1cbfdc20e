"""Language models on Groq's hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from providers.addresses import SecureHttpUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.llm._chat import ChatLlm

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService


class GroqLlm(ChatLlm, frozen=True):
    """Open models at several hundred tokens a second."""

    env: ClassVar[tuple[str, ...]] = ("GROQ_API_KEY",)
    needs_network: ClassVar[bool] = True
    title: ClassVar[str] = "Groq"
    limit_field: ClassVar[Literal["max_tokens", "max_completion_tokens"]] = "max_completion_tokens"

    provider: Literal["groq"] = "groq"
    model: str = "openai/gpt-oss-120b"
    """Large and quick; Llama 3.3 70B, which many examples name, is off since August 2026."""
    base_url: SecureHttpUrl = "https://api.groq.com/openai/v1"
    """The API, or a gateway to it."""
    reasoning_effort: PerCall[Literal["least", "none", "default", "low", "medium", "high"]] = (
        "least"
    )
    """How much it thinks before it answers; `least` is the least that the model offers."""
    service_tier: Literal["on_demand", "auto", "flex", "performance"] | None = None
    """The queue: `performance` is an enterprise's, `flex` refuses where capacity is short."""

    def fields(self) -> Mapping[str, Any]:
        """What Groq's API has of its own; thoughts stay out of the answer."""
        return {**_thinking(self.model, self.reasoning_effort), "service_tier": self.service_tier}

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        return self.service(endpoint("groq", self.base_url), secret("GROQ_API_KEY"))


def _thinking(model: str, effort: str) -> dict[str, Any]:
    """The fields that say how much a model thinks; each family has its own."""
    given = None if effort == "least" else effort
    if "gpt-oss" in model:
        return {"reasoning_effort": given or "low", "include_reasoning": False}
    if "qwen" in model:
        return {"reasoning_effort": given or "none", "reasoning_format": "hidden"}
    return {"reasoning_effort": given}
