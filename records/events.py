"""What happens in a call, one event at a time: the record, the metrics and the page read these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

Stage = Literal["endpointing", "stt", "llm", "tts", "transport", "own", "tools"]
"""The parts of a turn's latency, in the order they happen."""

EndReason = Literal[
    "caller_hung_up", "bot_hung_up", "idle", "max_duration", "never_joined", "server_stopped",
    "provider_failed", "crashed",
]  # fmt: skip


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at_ms: int = Field(ge=0)
    """Milliseconds since the call was accepted."""


class CallStarted(_Event):
    """The call was accepted; nothing is heard yet."""

    kind: Literal["call_started"] = "call_started"
    call_id: str
    bot: str
    pipeline: str
    transport: str


class CallerJoined(_Event):
    """Media flows both ways."""

    kind: Literal["caller_joined"] = "caller_joined"


class CallerStarted(_Event):
    """The caller began a turn."""

    kind: Literal["caller_started"] = "caller_started"
    interrupts: bool
    """Whether the bot was speaking."""


class CallerStopped(_Event):
    """The caller's turn was judged to be over."""

    kind: Literal["caller_stopped"] = "caller_stopped"


class Heard(_Event):
    """What the recogniser made of the caller's words."""

    kind: Literal["heard"] = "heard"
    text: str
    final: bool
    """False for a partial, which the next one replaces."""


class ReplyStarted(_Event):
    """The bot's first audible sample of a reply was sent."""

    kind: Literal["reply_started"] = "reply_started"


class ReplyEnded(_Event):
    """The bot fell silent: it was done, or it was interrupted."""

    kind: Literal["reply_ended"] = "reply_ended"
    spoken: str
    """The words that were heard."""
    cut: str
    """The words that were generated and never heard; empty if nothing was lost."""
    interrupted: bool


class ToolCalled(_Event):
    """The bot looked something up or did something."""

    kind: Literal["tool_called"] = "tool_called"
    name: str
    arguments: dict[str, JsonValue]
    result: JsonValue
    took_ms: int
    ok: bool


class Part(BaseModel):
    """One coloured part of a turn's latency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    label: str
    ms: int = Field(ge=0)


class Turn(_Event):
    """One exchange, measured: the caller's words, the bot's, and the gap between them."""

    kind: Literal["turn"] = "turn"
    index: int
    """Counts from 1; the greeting is no turn."""
    heard: str
    answered: str
    ear_ms: int | None
    """Caller's last speech sample to bot's first audible sample, on the two tracks.

    None where there was no gap to measure (the bot was already speaking).
    """
    parts: tuple[Part, ...]
    """Where the time went; they add up to `ear_ms` where that is known."""


class Failed(_Event):
    """Something went wrong; the call may go on."""

    kind: Literal["failed"] = "failed"
    code: str
    """`authentication`, `rate_limit`, `quota`, `connectivity`, `server`, ...: Pipecat's words."""
    message: str


class CallEnded(_Event):
    """The call is over. Nothing follows."""

    kind: Literal["call_ended"] = "call_ended"
    reason: EndReason


CallEvent = Annotated[
    CallStarted | CallerJoined | CallerStarted | CallerStopped | Heard | ReplyStarted | ReplyEnded
    | ToolCalled | Turn | Failed | CallEnded,
    Field(discriminator="kind"),
]  # fmt: skip

CALL_EVENT: TypeAdapter[CallEvent] = TypeAdapter(CallEvent)
