"""Scripted wits: repeats what it heard, at the pace of a real model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from providers.base import PerCall, Site
from providers.kinds import LlmConfig

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService


class SimulatedLlm(LlmConfig, frozen=True):
    """Answers from a script, in which `{heard}` stands for the caller's words."""

    provider: Literal["simulated"] = "simulated"
    replies: PerCall[tuple[str, ...]] = Field(
        default=("You said: {heard}. This voice is simulated, so that no weights are needed.",),
        min_length=1,
        max_length=100,
    )
    """What is answered, in turn; the last reply is followed by the first."""
    ttft_ms: PerCall[int] = Field(default=150, ge=0, le=30_000)
    """From the request to the first token."""
    tokens_per_sec: PerCall[int] = Field(default=100, ge=1, le=10_000)
    """Pace of the tokens after the first; a word is a token."""

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        from providers.llm._simulated_service import SimulatedLlmService

        return SimulatedLlmService(
            replies=self.replies,
            ttft_secs=self.ttft_ms / 1000,
            token_secs=1 / self.tokens_per_sec,
        )
