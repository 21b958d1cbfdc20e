"""The three kinds of provider, as the pipeline sees them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from providers.base import Site, StageConfig

if TYPE_CHECKING:
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.llm_service import LLMService
    from pipecat.services.stt_service import STTService
    from pipecat.services.tts_service import TTSService


@dataclass(frozen=True)
class Opening:
    """What a bot's model has been told when the caller says the first word."""

    messages: tuple[dict[str, Any], ...]
    """The prompt (as a system message), the examples, the greeting, as the OpenAI API has them."""
    tools: tuple[dict[str, Any], ...] = ()
    """The tools, as the OpenAI API has them."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A model service that can take in the caller's words before the turn is over."""

    async def read_ahead(self, context: LLMContext, words: str) -> None:
        """Take in `words`, the turn so far, as the last message after `context`."""
        ...


@runtime_checkable
class Preconnects(Protocol):
    """A service whose vendor lets a connection idle, so that it may be there before a call is."""

    async def preconnect(self) -> None:
        """Open the connection that the call will use, or renew it; on the call's event loop.

        To be asked again every few minutes: a vendor closes what is idle. Costs nothing, takes
        seconds at most and never fails: what it cannot open, the call opens.
        """
        ...


class SttConfig(StageConfig, frozen=True):
    """Speech to text."""

    ends_turns: ClassVar[bool] = False
    """Whether it says itself when the caller's turn begins and ends."""

    @abstractmethod
    def build(self, site: Site) -> STTService:
        """Make the Pipecat service. Heavy imports happen here and only here."""


class LlmConfig(StageConfig, frozen=True):
    """Language model."""

    speaks_tool_replies: ClassVar[bool] = False
    """Whether a tool's ready-made sentence is spoken as it is, in place of a second inference.

    For models too small to retell a result faithfully.
    """

    @abstractmethod
    def build(self, site: Site) -> LLMService[Any]:
        """Make the Pipecat service. Heavy imports happen here and only here."""

    async def warm(self, site: Site, openings: tuple[Opening, ...]) -> None:
        """Do before the first call what would make its first answer late.

        Args:
            site: This machine.
            openings: The bots that may be called, the likeliest first.
        """


class TtsConfig(StageConfig, frozen=True):
    """Text to speech."""

    @abstractmethod
    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service. Heavy imports happen here and only here."""
