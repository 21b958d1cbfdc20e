"""`offhook call`: recordings played to a bot in real time, each answer printed with its timing."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bots.plan import CallPlan, plan_call
from errors import MissingError, OffhookError
from evals.report import percentile
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from pipelines.config import missing
from records.events import CallEnded, CallEvent, ReplyEnded, Turn
from records.record import FolderStore

if TYPE_CHECKING:
    from pipelines.headless import HeadlessTransport
    from providers.models import ModelStore

T = TypeVar("T")

GREETING_SECS = 30.0
"""How long the first words may take, with everything still loading."""
_PAUSE_SECS = 0.5
"""How long a person would wait before the next sentence."""


class NoAnswerError(OffhookError):
    """The bot stayed silent."""

    code = "no_answer"


@dataclass(frozen=True)
class CallOptions:
    """What the command line asked for."""

    bot: str
    preset: str | Path
    wavs: tuple[Path, ...]
    out: Path | None
    data_dir: Path
    answer_secs: float


class Script:
    """Plays the clips, each when the bot has finished answering the one before."""

    def __init__(self, transport: HeadlessTransport, answer_secs: float) -> None:
        self.transport = transport
        self._answer_secs = answer_secs
        self._events: asyncio.Queue[CallEvent] = asyncio.Queue()
        self.turns: list[Turn] = []

    def listen(self, event: CallEvent) -> None:
        """Take an event of the call."""
        self._events.put_nowait(event)

    async def play(self, clips: list[tuple[Path, bytes]]) -> None:
        """Wait for the greeting, then say each clip and wait for its answer.

        Raises:
            NoAnswerError: A clip was not answered in time; the message names it.
        """
        await self._wait_for(ReplyEnded, GREETING_SECS, "The bot did not greet")
        for path, speech in clips:
            await asyncio.sleep(_PAUSE_SECS)
            await self.transport.say([speech])
            asked = f"The bot did not answer {path}"
            turn = await self._wait_for(Turn, self._answer_secs, asked)
            self.turns.append(turn)
            _print_turn(turn)
        await self.transport.hang_up()

    async def _wait_for(self, kind: type[T], secs: float, failure: str) -> T:
        try:
            async with asyncio.timeout(secs):
                while True:
                    event = await self._events.get()
                    if isinstance(event, kind):
                        return event
                    if isinstance(event, CallEnded):
                        raise NoAnswerError(f"{failure}: the call ended ({event.reason}).")
        except TimeoutError:
            raise NoAnswerError(
                f"{failure} within {secs:.0f} s: it heard no speech, or it had nothing to say."
            ) from None


async def run_call(options: CallOptions, models: ModelStore) -> list[Turn]:
    """Run the call and print it; its turns.

    Raises:
        OffhookError: A recording, the bot, the pipeline or the answer is at fault.
    """
    plan = plan_call(bot=options.bot, pipeline=options.preset, transport="headless")
    lacking = missing(plan.config, models.missing)
    if lacking:
        raise MissingError(" ".join(lacking))
    from pipelines.headless import HeadlessTransport, read_speech

    clips = [(path, read_speech(path)) for path in options.wavs]
    transport = HeadlessTransport()
    script = Script(transport, options.answer_secs)
    async with Sidecars() as sidecars:
        site = LocalSite(models, sidecars)
        await site.prepare(plan.config)
        opening = await asyncio.to_thread(plan.bot.opening, _state_dir(plan, options))
        await plan.config.llm.warm(site, (opening,))
        await _talk(plan, options, site, script=script, clips=clips)
    _print_summary(script.turns)
    return script.turns


async def _talk(
    plan: CallPlan,
    options: CallOptions,
    site: LocalSite,
    *,
    script: Script,
    clips: list[tuple[Path, bytes]],
) -> None:
    from bots.call import Surroundings, run
    from bots.greeting import FOLDER

    around = Surroundings(
        site=site,
        records=FolderStore(options.data_dir / "calls"),
        state_dir=_state_dir(plan, options),
        greetings=options.data_dir / FOLDER,
        audio=options.out,
        listener=script.listen,
    )
    calling = asyncio.ensure_future(run(plan, script.transport, around))
    try:
        await script.play(clips)
        await calling
    finally:
        calling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calling


def _state_dir(plan: CallPlan, options: CallOptions) -> Path:
    return options.data_dir / "bots" / plan.bot.name


def _print_turn(turn: Turn) -> None:
    ear = "-" if turn.ear_ms is None else f"{turn.ear_ms} ms"
    waterfall = ", ".join(f"{part.label} {part.ms}" for part in turn.parts)
    _say(f"{turn.index}. heard     {turn.heard}")
    _say(f"   answered  {turn.answered}")
    _say(f"   ear       {ear}  ({waterfall})")


def _print_summary(turns: list[Turn]) -> None:
    ears = sorted(turn.ear_ms for turn in turns if turn.ear_ms is not None)
    if ears:
        p50, p95 = percentile(ears, 50), percentile(ears, 95)
        _say(f"ear latency over {len(ears)} turns: p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
