"""Language models behind a server of the operator's own that speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from providers.addresses import KeyEnv, ServerUrl
from providers.base import PerCall, Site, own_server, secret
from providers.kinds import Opening
from providers.llm._chat import ChatLlm

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService

_KEYLESS = "none"


class OpenAiCompatibleLlm(ChatLlm, frozen=True):
    """vLLM, llama-server, LM Studio, a gateway: whatever has `/chat/completions`."""

    title: ClassVar[str] = "The model's server"

    provider: Literal["openai_compatible"] = "openai_compatible"
    base_url: ServerUrl = "http://127.0.0.1:8000/v1"
    """The API's root; the default is vLLM's. llama-server is at port 8080, LM Studio at 1234."""
    key_env: KeyEnv | None = None
    """The environment variable that holds the key, if the server wants one."""
    model: str = "default"
    """The name that the server knows it by (`--served-model-name`); llama-server takes any."""
    frequency_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided the more often it was used."""
    presence_penalty: PerCall[float | None] = Field(default=None, ge=-2, le=2)
    """How much a token is avoided that was used at all."""
    reasoning_effort: PerCall[str | None] = Field(default=None, pattern=r"^[a-z]{1,16}$")
    """How much it thinks, for servers that have the field; others take it in `request`:
    `request = { chat_template_kwargs = { enable_thinking = false } }`."""
    retry_on_timeout: bool = False
    """Whether a late answer is asked for once more: on a busy server that makes matters worse."""
    give_up_ms: int = Field(default=15_000, ge=100, le=300_000)
    """The longest silence, before an answer or within it, before the turn fails."""

    def variables(self) -> tuple[str, ...]:
        """The variable of the key, if the server wants one."""
        return (self.key_env,) if self.key_env else ()

    def server(self) -> str:
        """URL of the server, which must answer."""
        return self.base_url

    def fields(self) -> Mapping[str, Any]:
        """What not every server knows."""
        return {
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "reasoning_effort": self.reasoning_effort,
        }

    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service."""
        return self.service(own_server(self.base_url), self._key())

    async def warm(self, site: Site, openings: tuple[Opening, ...]) -> None:
        """Have the server read the likeliest bot's opening, which its prompt cache then holds."""
        from providers.llm._warm_up import read_opening

        url = own_server(self.base_url)
        await read_opening(url, self._key(), model=self.model, openings=openings)

    def _key(self) -> str:
        return secret(self.key_env) if self.key_env else _KEYLESS
