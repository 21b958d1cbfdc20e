"""Language models that Ollama serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from providers.addresses import ServerUrl
from providers.base import PerCall, Site, own_server
from providers.kinds import Opening
from providers.llm._chat import ChatLlm

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_KEYLESS = "ollama"


class OllamaLlm(ChatLlm, frozen=True):
    """Open models on hardware of the operator's own.

    Ollama cuts prompts at its window: start it with `OLLAMA_CONTEXT_LENGTH=8192` or more.
    """

    title: ClassVar[str] = "Ollama"

    provider: Literal["ollama"] = "ollama"
    base_url: ServerUrl = Field(default="http://127.0.0.1:11434/v1", pattern=r"/v1$")
    """The server, with `/v1`."""
    model: str = "qwen3:4b-instruct"
    """As `ollama pull` names it. The default calls tools well, does not think, and needs 3 GB."""
    keep_alive_secs: int = Field(default=3600, ge=-1, le=604_800)
    """How long the model stays loaded while nobody calls; -1 is for ever."""
    frequency_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided the more often it was used."""
    presence_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided that was used at all."""
    reasoning_effort: PerCall[Literal["none", "low", "medium", "high"]] = "none"
    """How much a model that can think does so before it answers."""
    retry_on_timeout: bool = False
    """Whether a late answer is asked for once more: on a busy machine that makes matters worse."""
    give_up_ms: int = Field(default=30_000, ge=100, le=300_000)
    """The longest silence, before an answer or within it; long enough to load the model."""

    def server(self) -> str:
        """URL of the server, which must answer."""
        return self.base_url

    def fields(self) -> Mapping[str, Any]:
        """What Ollama knows beyond the common."""
        return {
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "reasoning_effort": self.reasoning_effort,
        }

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        return self.service(own_server(self.base_url), _KEYLESS)

    async def warm(self, site: Site, openings: tuple[Opening, ...]) -> None:
        """Load the model, say how long it shall stay, and have it read the likeliest opening."""
        from providers.llm._warm_up import load, read_opening

        url = own_server(self.base_url)
        root = url.removesuffix("/v1")
        if await load(root, model=self.model, keep_alive_secs=self.keep_alive_secs):
            await read_opening(url, _KEYLESS, model=self.model, openings=openings)
