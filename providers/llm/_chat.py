"""What the vendors that speak OpenAI's chat completions have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from providers.base import PerCall
from providers.llm._patience import PatientLlm

if TYPE_CHECKING:
    from pipecat.services.llm_service import LLMService


class ChatLlm(PatientLlm, frozen=True):
    """A model behind an API of OpenAI's kind."""

    title: ClassVar[str]
    """The vendor, as errors name it."""
    limit_field: ClassVar[Literal["max_tokens", "max_completion_tokens"]] = "max_tokens"
    """What the API calls the longest reply."""
    knows_developer: ClassVar[bool] = False
    """Whether the API takes messages of the role `developer`."""

    model: str
    seed: PerCall[int | None] = Field(default=None, ge=0, le=2_147_483_647)
    """Makes replies repeat themselves, as far as the vendor can."""
    parallel_tool_calls: bool = False
    """Whether several tools may be called at once; one at a time is quicker to answer."""

    def fields(self) -> Mapping[str, Any]:
        """Fields of each request that are this vendor's own; those that are None are left out."""
        return {}

    def service(self, url: str, key: str) -> LLMService[Any]:
        """Make the Pipecat service in front of `url`."""
        from providers.llm._chat_service import ChatService
        from providers.llm._clients import Endpoint

        return ChatService(Endpoint(self.title, url, key), self)
