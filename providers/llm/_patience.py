"""How long a caller is kept waiting for a model, and what is said when it was too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import Field, JsonValue

from providers.base import PerCall
from providers.kinds import LlmConfig

T = TypeVar("T")

_CUT_BY_LIMIT = frozenset({"length", "max_tokens", "MAX_TOKENS"})
"""What the vendors call an end that the limit made."""

_UNREACHED = "cannot be reached."
_BROKE_OFF = "broke off its answer."


class SilenceError(TimeoutError):
    """The vendor sent nothing for too long."""


class LostError(ConnectionError):
    """The connection broke, or the answer ended before its end."""


class UselessAnswerError(RuntimeError):
    """The answer came and cannot be used."""


class PatientLlm(LlmConfig, frozen=True):
    """What every model behind a network has: how to answer, and how long to wait."""

    temperature: PerCall[float | None] = Field(default=None, ge=0, le=2)
    """How freely it talks; the vendor's default unless set. Some models take none."""
    top_p: PerCall[float | None] = Field(default=None, gt=0, le=1)
    """Share of the likeliest next tokens that are chosen from; the vendor's default unless set."""
    max_tokens: PerCall[int] = Field(default=1024, ge=16, le=32_768)
    """The longest reply, with what the model thinks before it."""
    stop: tuple[str, ...] = Field(default=(), max_length=4)
    """Texts at which a reply ends."""
    request: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Further fields of each request, as the API names them; they win over all others."""
    retry_on_timeout: bool = True
    """Whether a request whose answer does not begin in time is made once more."""
    retry_timeout_ms: int = Field(default=3000, ge=100, le=60_000)
    """How long an answer may take to begin before it is asked for once more."""
    give_up_ms: int = Field(default=6000, ge=100, le=300_000)
    """The longest silence, of the last request made or within an answer, before the turn fails."""

    @property
    def begin_secs(self) -> float:
        """How long an answer may take to begin, the first attempt included."""
        first_ms = self.retry_timeout_ms if self.retry_on_timeout else 0
        return (first_ms + self.give_up_ms) / 1000


@dataclass
class Progress:
    """What has come of one answer so far."""

    vendor: str
    begun: bool = False
    """Whether anything came at all."""
    spoke: bool = False
    called: bool = False
    ended: str = ""
    """Why it ended, in the vendor's word; empty while it has not."""

    def check(self) -> None:
        """Call when the stream is over.

        Raises:
            LostError: It ended before the answer did.
            UselessAnswerError: There is nothing to say and no tool to call.
        """
        if not self.ended:
            raise LostError(f"{self.vendor} {_BROKE_OFF}")
        if self.called and self.ended in _CUT_BY_LIMIT:
            raise UselessAnswerError(f"{self.vendor} reached max_tokens within a tool call.")
        if not (self.spoke or self.called):
            raise UselessAnswerError(f"{self.vendor} answered with nothing ({self.ended}).")

    def lost(self) -> LostError:
        """The error that says how far the answer came."""
        return LostError(f"{self.vendor} {_BROKE_OFF if self.begun else _UNREACHED}")


async def in_time(items: AsyncIterator[T], *, secs: float, vendor: str) -> AsyncGenerator[T]:
    """`items`, none of which takes longer than `secs` to come.

    Raises:
        SilenceError: One did.
    """
    while True:
        try:
            async with asyncio.timeout(secs):
                item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise silence(vendor, secs) from error
        yield item


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `fields` that are set; the others are left to the vendor."""
    return {name: value for name, value in fields.items() if value is not None}


def silence(vendor: str, secs: float) -> SilenceError:
    """The error that says how long `vendor` was silent."""
    return SilenceError(f"{vendor} sent nothing for {secs:g} s.")
