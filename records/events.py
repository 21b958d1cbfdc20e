"""What happens in a call, one event at a time: the record, the metrics and the page read these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

Stage = Literal["endpointing", "stt", "llm", "tts", "transport", "own", "tools"]
"""The parts of a turn's latency, in the order they happen."""

StopReason = Literal["noise", "backchannel", "echo"]
"""Why the bot paused though nobody wanted its turn."""

EndReason = Literal[
    "caller_hung_up", "bot_hung_up", "idle", "max_duration", "never_joined", "drained", "host_lost",
    "provider_failed", "crashed",
]  # fmt: skip
"""Why a call ended. `drained`: the server was being stopped; `host_lost`: the server was gone, and
the call's own process ended it."""


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
    """Whether the bot was heard: it was speaking, or a filler was until the caller spoke."""


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


class Filled(_Event):
    """A filler was heard: a few words that bridge the wait and answer nothing."""

    kind: Literal["filled"] = "filled"
    text: str


class BargedIn(_Event):
    """The caller took the floor over the bot, and it fell silent.

    Told about a second later; never for a pause after which the bot went on.
    """

    kind: Literal["barged_in"] = "barged_in"
    stop_ms: int = Field(ge=0)
    """Caller's first speech sample to the bot's last audible sample, on the two tracks."""


class CutIn(_Event):
    """The bot started while the caller had more to say. Told within a second of it.

    The turn it belongs to comes after it, and has no `ear_ms`: there was no wait.
    """

    kind: Literal["cut_in"] = "cut_in"
    caller_more_ms: int = Field(ge=0)
    """How long after the bot's first sample the caller was still, or again, heard."""


class FalseStop(_Event):
    """The bot paused for what was no turn of the caller's, and went on where it was."""

    kind: Literal["false_stop"] = "false_stop"
    paused_ms: int = Field(ge=0)
    """How long it was silent."""
    why: StopReason
    """What it was: a cough, a "right", or the bot's own voice."""


class CallerIdle(_Event):
    """The caller was silent for long, and the bot asked whether they are there."""

    kind: Literal["caller_idle"] = "caller_idle"
    prompt: str
    """What the bot asked."""


class Regret(_Event):
    """What was thrown away since the call began: replies begun on words that were not the last.

    Running totals, told at most once a turn.
    """

    kind: Literal["regret"] = "regret"
    replies: int = Field(ge=0)
    tokens: int = Field(ge=0)
    """Written by the model."""
    characters: int = Field(ge=0)
    """Given to the voice."""
    usd: float = Field(ge=0)
    """What they cost, as far as the prices are known."""


class Used(_Event):
    """What the call has used of its providers since it began, thrown away or not.

    Running totals, as the providers told them or Pipecat counted them; told when the pipeline
    stands, then at most once a turn, and at the end. An amount is by list prices, None where the
    price is not known, and 0 for what runs on this machine.
    """

    kind: Literal["used"] = "used"
    prompt_tokens: int = Field(ge=0)
    """Read by the model, but for those from its vendor's cache."""
    cached_tokens: int = Field(ge=0)
    """Read by the model, from its vendor's cache."""
    completion_tokens: int = Field(ge=0)
    """Written by the model."""
    untold: int = Field(ge=0)
    """Answers that the model told no tokens of, in no total: broken off, or failed."""
    characters: int = Field(ge=0)
    """Given to the voice."""
    stt_secs: float = Field(ge=0)
    """Of audio, given to the recogniser."""
    llm_usd: float | None = Field(ge=0)
    tts_usd: float | None = Field(ge=0)
    stt_usd: float | None = Field(ge=0)


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
    """Caller's last speech sample to the first audible sample of anything, on the two tracks.

    None where there was no gap to measure: the bot was already speaking, or it cut in.
    """
    parts: tuple[Part, ...]
    """Where the time went; they add up to `answer_ms` where that is known."""
    filler_ms: int | None = None
    """`ear_ms` where a filler was heard first; None where the answer was."""
    answer_ms: int | None = None
    """The same gap to the answer's first audible sample: `ear_ms`, but for a filler."""
    over_ms: int = Field(default=0, ge=0)
    """How much later than the bot's budget the answer came. A filler does not excuse it."""
    blame: Stage | None = None
    """Which stage took longest, where the answer came later than the budget."""
    budget_ms: int | None = None
    """The bot's budget."""
    speculated: bool = False
    """Whether the reply was begun before the caller's turn was over."""


class Failed(_Event):
    """Something went wrong; the call may go on."""

    kind: Literal["failed"] = "failed"
    code: str
    """`authentication`, `rate_limit`, `quota`, `connectivity`, `server`, ...: Pipecat's words."""
    message: str
    provider: str | None = None
    """Whose failure it is, by its name in the pipeline; None where it is no provider's."""


class Retried(_Event):
    """A provider failed and the caller lost nothing: what it was asked is asked again."""

    kind: Literal["retried"] = "retried"
    code: str
    """As in `Failed`."""
    provider: str | None = None
    """As in `Failed`."""


class CallEnded(_Event):
    """The call is over. Nothing follows."""

    kind: Literal["call_ended"] = "call_ended"
    reason: EndReason


CallEvent = Annotated[
    CallStarted | CallerJoined | CallerStarted | CallerStopped | CallerIdle | Heard
    | ReplyStarted | ReplyEnded | Filled | BargedIn | CutIn | FalseStop | Regret
    | Used | ToolCalled | Turn | Failed | Retried | CallEnded,
    Field(discriminator="kind"),
]  # fmt: skip

# Pydantic would keep thousands of the strings that it read, words of callers among them.
CALL_EVENT: TypeAdapter[CallEvent] = TypeAdapter(CallEvent, config=ConfigDict(cache_strings="keys"))
