"""How the simulated vendors behave: how late, how chatty, and what goes wrong when."""

from __future__ import annotations

import math
from random import Random
from typing import Literal

from pydantic import BaseModel, Field, model_validator

_Z_95 = 1.6449
"""Standard deviations from the median to the 95th percentile of a normal distribution."""


SERVICES = (
    "deepgram-listen", "deepgram-flux", "deepgram-speak", "groq-chat", "groq-transcribe",
    "openai-chat", "openai-transcribe", "openai-speech", "ollama-chat", "ollama-load", "own-chat",
    "anthropic", "google", "cartesia", "elevenlabs", "opentts", "daily", "twilio",
)  # fmt: skip
"""What faults are listed under."""


class _Table(BaseModel, frozen=True, extra="forbid"):
    pass


class Latency(_Table, frozen=True):
    """A log-normal latency, as services have them; constant where `p95_ms` is not given."""

    p50_ms: float = Field(ge=0, le=60_000)
    p95_ms: float | None = Field(default=None, ge=0, le=60_000)

    @model_validator(mode="after")
    def _ordered(self) -> Latency:
        if self.p95_ms is not None and self.p95_ms < self.p50_ms:
            raise ValueError("p95_ms is less than p50_ms")
        return self

    def draw_secs(self, random: Random) -> float:
        """One sample, in seconds."""
        if self.p95_ms is None or self.p50_ms == 0:
            return self.p50_ms / 1000
        sigma = math.log(self.p95_ms / self.p50_ms) / _Z_95
        return self.p50_ms / 1000 * math.exp(random.gauss(0, sigma))


class Fault(_Table, frozen=True):
    """Something that goes wrong with some of a service's requests."""

    kind: Literal["status", "refuse", "hang", "stall", "close", "malformed", "silent"]
    """`status`: answer with that HTTP status. `refuse`: reset the connection at once. `hang`:
    accept and never answer. `stall`, `close`, `malformed`: after `after` messages of the answer,
    send nothing more, cut the connection, or send what is not of the protocol. `silent`: answer
    in full, with no words or no sound."""
    status: int = Field(default=500, ge=400, le=599)
    retry_after_secs: int | None = Field(default=None, ge=0, le=3600)
    """Sent as `Retry-After` with a `status`."""
    after: int = Field(default=1, ge=0, le=10_000)
    skip: int = Field(default=0, ge=0, le=10_000)
    """Requests that pass unharmed before."""
    times: int | None = Field(default=1, ge=1)
    """Requests that fail; all from then on if None."""

    def strikes(self, number: int) -> bool:
        """Whether the request of that number, counted from 0, fails."""
        failed = number - self.skip
        return failed >= 0 and (self.times is None or failed < self.times)


class Line(_Table, frozen=True):
    """A line whose words have their times."""

    text: str
    ends_ms: tuple[int, ...] = ()
    """For each word, how much of the stretch's speech is heard by its end, pauses not counted."""

    @model_validator(mode="after")
    def _every_word_timed(self) -> Line:
        if len(self.ends_ms) != len(self.text.split()):
            raise ValueError(f"{len(self.ends_ms)} ends_ms for {len(self.text.split())} words")
        if list(self.ends_ms) != sorted(self.ends_ms):
            raise ValueError("ends_ms go back in time")
        return self


class Ears(_Table, frozen=True):
    """Speech recognition: what is heard is a script; when, is heard in the audio."""

    lines: tuple[str | Line, ...] = Field(
        default=(
            "hello there",
            "when are you open on monday",
            "how much is a check-up",
            "thank you goodbye",
        ),
        min_length=1,
    )
    """One for each stretch of speech, in turn; the last is followed by the first. A line without
    words is a sound that is no speech."""
    interim_ms: int = Field(default=100, ge=20, le=5000)
    """Between two interim results."""
    lag_ms: int = Field(default=120, ge=0, le=5000)
    """How far an interim result is behind the audio."""
    final: Latency = Latency(p50_ms=350)
    """From the end of speech to the final result."""
    words_per_sec: float = Field(default=2.7, gt=0, le=20)
    """How fast a line without times is taken to be spoken; the final result has all of it."""
    finalize: Literal["at_once", "as_final"] = "at_once"
    """When a recogniser that is asked for its final result gives it: at once, or as late after the
    end of speech as it gives it unasked."""


class Rule(_Table, frozen=True):
    """An answer to a caller whose last words match."""

    heard: str = ".*"
    """A regular expression, searched for without regard to case."""
    say: str = ""
    """The answer; `{heard}` stands for the caller's words."""
    tool: str = ""
    """The tool to call instead, if the request offers it; its result is spoken."""
    arguments: dict[str, str] = {}


class Wits(_Table, frozen=True):
    """A language model: answers by rules."""

    ttft: Latency = Latency(p50_ms=150)
    """From the request to the first token."""
    tokens_per_sec: float = Field(default=300, gt=0, le=100_000)
    rules: tuple[Rule, ...] = (
        Rule(heard=r"\bopen\b.*\bmonday\b", tool="opening_hours", arguments={"day": "monday"}),
        Rule(heard=r"\bopen\b", tool="opening_hours"),
        Rule(heard=r"how much|price|cost", tool="price", arguments={"treatment": "check-up"}),
        Rule(heard=r"bye", say="You are welcome. Good-bye, and have a good day!"),
        Rule(say="You said: {heard}. I am a simulated model, and I answer by a few simple rules."),
    )
    """The first that matches is used."""


class Voice(_Table, frozen=True):
    """Speech synthesis: a hum as long as the words would take."""

    ttfb: Latency = Latency(p50_ms=100)
    """From the text to the first sample."""
    char_ms: float = Field(default=60, gt=0, le=1000)
    """How long a character is heard; people speak at 55 to 70."""
    speed: float = Field(default=4, gt=0, le=1000)
    """How much faster than it plays the audio is sent."""


class Behaviour(_Table, frozen=True):
    """All of it; `faults` by service name (`deepgram-listen`, `groq-chat`, `daily`, ...)."""

    ears: Ears = Ears()
    wits: Wits = Wits()
    voice: Voice = Voice()
    faults: dict[str, tuple[Fault, ...]] = {}
    seed: int = 0

    def unknown(self) -> list[str]:
        """Services that faults are listed under and nobody plays."""
        return [name for name in self.faults if name not in SERVICES]
