"""The calls that the latency bench makes: who answers, on which vendors, what the caller does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import uvloop

from evals.simulators.behaviour import Behaviour, Ears, Latency, Line, Rule, Voice, Wits

if TYPE_CHECKING:
    from bots.plan import CallPlan
    from evals.latency_trace import Event
    from pipelines.headless import HeadlessTransport

Profile = Literal["fast", "slow"]

FINAL_MS = 350
TTFT_MS: Mapping[Profile, int] = {"fast": 150, "slow": 600}
VOICE_MS: Mapping[Profile, int] = {"fast": 100, "slow": 250}
TOKENS_PER_SEC = 300
GREETING = "Hello, this is the bench. I answer whatever you say, and you may always interrupt me."
PROMPT = "You answer in one or two sentences."
FIRST_TOKENS = 7
"""Tokens of each answer's first sentence, which is what the voice begins with."""
_REPLIES = (
    Rule(
        heard=r"\b(press|number|one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b",
        say="All right, I will look into it. Please tell me what else you would like to know.",
    ),
    Rule(say="Thank you, I have written that down. Is there anything else I can do for you today?"),
)
_LONG_REPLY = (
    "Thank you, I have written that down. Let me tell you how we go on from here. "
    "First somebody will read through all that you have told me and compare it with our books. "
    "Then we will write you a letter with everything that you need to know about the visit. "
    "When you come please bring that letter and whatever else you have been given by others."
)


@dataclass(frozen=True)
class Cell:
    """One kind of call."""

    bot: Literal["offhook", "pipecat"]
    profile: Profile = "fast"
    script: Literal["turns", "sounds"] = "turns"
    turn: Mapping[str, str | int | bool] = field(default_factory=dict[str, str | int | bool])
    """Offhook's `[turn]`, laid over the preset's."""


_EARLY: Mapping[str, str | int | bool] = {"commit": "stable", "speculate": True, "filler": False}

_BARE: Mapping[str, str | int | bool] = {"vote": False, "hold_ms": 0}
"""No silence is waited for: the turn ends with its final transcript."""

CELLS: Mapping[str, Cell] = {
    "bare": Cell("offhook", turn={**_EARLY, **_BARE, "speculate": False}),
    "plain": Cell("offhook", turn={**_EARLY, "speculate": False}),
    "baseline": Cell("pipecat"),
    "early": Cell("offhook", turn=_EARLY),
    "late": Cell("offhook", turn={**_EARLY, "commit": "silence", "silence_ms": 600}),
    "slow": Cell("offhook", "slow", turn={**_EARLY, "filler": True}),
    "slow_baseline": Cell("pipecat", "slow"),
    "sounds": Cell("offhook", script="sounds", turn=_EARLY),
    "sounds_baseline": Cell("pipecat", script="sounds"),
}
"""In the order in which they are run."""


@dataclass(frozen=True)
class Job:
    """One call, as another process is told of it."""

    cell: str
    vendors: str
    """URL of the simulated vendors."""
    folder: Path
    """Where the recording and the call's record go."""
    ask: bytes
    """What is said before each sound."""
    clips: tuple[bytes, ...]
    """The turns, or the sounds."""

    @property
    def audio(self) -> Path:
        """The two tracks."""
        return self.folder / f"{self.cell}.wav"

    @property
    def played(self) -> tuple[bytes, ...]:
        """All that the caller plays, in order."""
        if CELLS[self.cell].script == "turns":
            return self.clips
        return tuple(clip for sound in self.clips for clip in (self.ask, sound))


@dataclass(frozen=True)
class Notes:
    """What a call's process knows beside the tracks; times by its loop's clock, in ms."""

    said_at_ms: tuple[float, ...]
    replies_at_ms: tuple[float, ...]
    events: tuple[Event, ...]
    late_ms: tuple[float, ...]
    """By how much each short sleep was too long."""


def behaviour(cell: Cell, lines: tuple[Line, ...]) -> Behaviour:
    """The vendors of a cell, who hear `lines`."""
    rules = _REPLIES if cell.script == "turns" else (Rule(say=_LONG_REPLY),)
    return Behaviour(
        ears=Ears(
            lines=lines,
            interim_ms=100,
            lag_ms=120,
            final=Latency(p50_ms=FINAL_MS),
            finalize="as_final",
        ),
        wits=Wits(
            ttft=Latency(p50_ms=TTFT_MS[cell.profile]), tokens_per_sec=TOKENS_PER_SEC, rules=rules
        ),
        voice=Voice(ttfb=Latency(p50_ms=VOICE_MS[cell.profile])),
    )


def injected_ms(profile: Profile) -> float:
    """What the vendors alone take from the end of speech to the first sound."""
    written_ms = 1000 * FIRST_TOKENS / TOKENS_PER_SEC
    return FINAL_MS + TTFT_MS[profile] + written_ms + VOICE_MS[profile]


def run_cell(job: Job) -> Notes:
    """Make the call; for a process of its own.

    Raises:
        OffhookError: The call could not be made.
    """
    from providers.base import VENDORS
    from records.logs import configure

    os.environ[VENDORS] = job.vendors  # noqa: TID251 - this process's own vendors
    configure("WARNING")
    if CELLS[job.cell].bot == "pipecat":
        return asyncio.run(_call(job))
    # What the process of each of our calls runs on.
    return uvloop.run(_call(job))


async def _call(job: Job) -> Notes:
    from evals.latency_caller import Caller
    from evals.latency_trace import Trace
    from pipelines.headless import HeadlessTransport

    transport = HeadlessTransport()
    caller, trace = Caller(transport), Trace()
    answering = asyncio.ensure_future(_answer(job, transport))
    watching = asyncio.ensure_future(caller.watch())
    try:
        await caller.greeted()
        trace.attach(transport.input())
        if CELLS[job.cell].script == "turns":
            await caller.talk(job.clips)
        else:
            await caller.disturb(job.ask, job.clips)
        await answering
    finally:
        watching.cancel()
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering
    return Notes(
        tuple(at * 1000 for at in caller.said_at),
        tuple(at * 1000 for at in caller.listener.replies_at),
        tuple(trace.events),
        tuple(caller.late_ms),
    )


async def _answer(job: Job, transport: HeadlessTransport) -> None:
    """Be the bot until the caller leaves."""
    cell = CELLS[job.cell]
    if cell.bot == "pipecat":
        from evals.latency_baseline import run_baseline

        await run_baseline(transport, prompt=PROMPT, greeting=GREETING, audio=job.audio)
        return
    from bots.call import Surroundings, run
    from hosts.sidecars import Sidecars
    from hosts.site import LocalSite
    from providers.models import ModelStore
    from records.record import FolderStore

    around = Surroundings(
        site=LocalSite(ModelStore(offline=True, env={}), Sidecars()),
        records=FolderStore(job.folder / "calls"),
        state_dir=job.folder,
        audio=job.audio,
    )
    await run(_plan(cell), transport, around)


def _plan(cell: Cell) -> CallPlan:
    from bots.bot import Bot, BotSettings, Limits
    from bots.plan import CallPlan
    from pipelines.config import resolve

    settings = BotSettings(
        title="Bench",
        summary="Answers in one or two sentences.",
        greeting=GREETING,
        limits=Limits(max_call_secs=3600, idle_secs=60),
    )
    bot = Bot(name="bench", prompt=PROMPT, settings=settings, has_tools=False)
    config = resolve("cloud", defaults={"turn": dict(cell.turn)})
    return CallPlan(bot=bot, config=config, transport="headless")
