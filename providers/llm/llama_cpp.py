"""Small language models on this machine's processor, by llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from providers.base import PerCall, Sidecar, Site
from providers.kinds import LlmConfig, Opening

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService


class LlamaCppLlm(LlmConfig, frozen=True):
    """Answers on the CPU; tools are called in JSON that a grammar enforces."""

    packages: ClassVar[tuple[str, ...]] = ("xllamacpp",)
    extra: ClassVar[str | None] = "local"
    speaks_tool_replies: ClassVar[bool] = True

    provider: Literal["llama_cpp"] = "llama_cpp"
    model: Literal["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"] = "qwen2.5-coder-0.5b"
    """Name of the weights in `models.toml`."""
    temperature: PerCall[float] = Field(default=0.7, ge=0, le=2)
    """How freely it talks; where it may call tools it takes the likeliest answer."""
    max_tokens: PerCall[int] = Field(default=80, ge=16, le=400)
    """The longest reply; one that reaches it ends with its last whole sentence."""
    ctx_tokens: int = Field(default=4096, ge=2048, le=32_768)
    """The model's window; the oldest turns of a talk that outgrows it are forgotten."""
    parallel: int = Field(default=1, ge=1, le=16)
    """Replies that are written at the same time; further calls wait for their turn."""

    def weights(self) -> tuple[str, ...]:
        """The model's file."""
        return (self.model,)

    def sidecars(self, site: Site) -> tuple[Sidecar, ...]:
        """One server for each model and size of window."""
        return (
            Sidecar(
                name=self._sidecar_name(),
                module="providers.llm.llama_server",
                args=(
                    *("--model", str(site.weights(self.model) / "model.gguf")),
                    *("--ctx", str(self.ctx_tokens)),
                    *("--parallel", str(self.parallel)),
                    *("--prompts", str(self._prompts(site))),
                ),
            ),
        )

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        from providers.llm._llama_cpp_service import LlamaCppLlmService

        return LlamaCppLlmService(
            url=site.url(self._sidecar_name()),
            model=self.model,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            ctx_tokens=self.ctx_tokens,
        )

    async def warm(self, site: Site, openings: tuple[Opening, ...]) -> None:
        """Read each bot's opening into the prompt cache."""
        from providers.llm._llama_cpp_request import conversation
        from providers.llm._llama_cpp_warm import read_openings

        told = [
            conversation(
                opening.messages,
                opening.tools,
                head=len(opening.messages),
                ctx_tokens=self.ctx_tokens,
            )
            for opening in openings
        ]
        url = site.url(self._sidecar_name())
        await read_openings(url, told, self._prompts(site))

    def _prompts(self, site: Site) -> Path:
        return site.weights(self.model) / "prompts"

    def _sidecar_name(self) -> str:
        return f"llama_cpp-{self.model}-{self.ctx_tokens}-{self.parallel}"
