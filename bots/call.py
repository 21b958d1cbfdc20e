"""One call, from the first sample to the record's last line: the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger
from pipecat.frames.frames import ErrorFrame, InterruptionFrame, TTSSpeakFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from bots.assembly import Assembly, Place, Reports
from bots.farewell import Farewell
from bots.greeting import Greetings
from bots.news import Listener, News
from bots.plan import CallPlan
from bots.sayings import Sayings, ending
from bots.waste import Waste
from pipelines import cascade
from processors.idle import Patience
from providers.base import Site
from providers.kinds import ReadsAhead
from records.events import (
    CallEnded,
    CallerIdle,
    CallerJoined,
    CallerStarted,
    CallEvent,
    CallStarted,
    EndReason,
    Heard,
    ReplyEnded,
    ReplyStarted,
    Turn,
)
from records.record import CallWriter, RecordStore
from records.recording import RecordingFile

Stages = cascade.Stages
"""What `build_stages` makes."""

BUILD_SECS = 60.0
"""How long the stages may take to build."""
JOIN_SECS = 30.0
"""How long the caller may take to connect."""
END_SECS = 5.0
"""How long the pipeline may take to end before it is cut."""
GONE_SECS = 5.0
"""How long the caller's end may be silent on every channel before it counts as gone.

ICE takes half a minute to notice a closed tab.
"""

_LAST_WORDS_SECS = 0.1
"""How long the page's last message may take to leave."""


def _new_future() -> asyncio.Future[EndReason]:
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True)
class Surroundings:
    """What a call finds around it."""

    site: Site
    records: RecordStore
    state_dir: Path
    """Where the bot's tools keep what they know."""
    greetings: Path | None = None
    """Where ready greetings are kept; with None each is made as it is said."""
    audio: Path | None = None
    """Where the two tracks go if not into the record."""
    listener: Listener | None = None
    """Told of each event as it happens."""
    alive: Callable[[], bool] = field(default=lambda: True)
    """Whether the caller's end still answers."""
    over: asyncio.Future[EndReason] = field(default_factory=_new_future)
    """Done when the call is over for a reason that the transport does not tell: it ends at once."""
    farewell: asyncio.Future[EndReason] = field(default_factory=_new_future)
    """Done when the server must end the call: the bot says so and the call ends for that reason."""
    on_silence: Callable[[float], None] | None = None
    """Told some 30 times a second for how long the caller has been silent (ms); 0 if they speak."""
    sayings: Sayings = field(default_factory=Sayings)
    """What somebody else has the bot say."""


def build_stages(plan: CallPlan, site: Site) -> Stages:
    """What `run` takes as `stages`, made before there is a call. Blocks: run it in a thread.

    Raises:
        MissingError: A secret or the weights are not here.
    """
    return cascade.build_stages(plan.config, site, language=plan.bot.settings.language)


async def run(
    plan: CallPlan,
    transport: BaseTransport,
    around: Surroundings,
    *,
    stages: Awaitable[Stages] | None = None,
) -> EndReason:
    """Run the call until it ends; the reason why it did.

    Never leaves the record open: whatever happens, its last line says how the call ended.

    Args:
        plan: What was decided about the call.
        transport: To the caller.
        around: What the call finds around it.
        stages: What `build_stages` made, or is making, of the same bot and pipeline and what no
            call has used; they are built otherwise.
    """
    with logger.contextualize(call_id=plan.id):
        record = await asyncio.to_thread(around.records.open, plan.facts())
        call = _Call(plan, transport, around, record)
        reason: EndReason = "crashed"
        try:
            reason = await call.run(stages)
        except asyncio.CancelledError:
            reason = call.verdict or "drained"
            raise
        finally:
            call.finish(reason)
            record.close(reason)
            logger.info("call ended: {}", reason)
        return reason


class _Call:
    def __init__(
        self, plan: CallPlan, transport: BaseTransport, around: Surroundings, record: CallWriter
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._around = around
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._joined = asyncio.Event()
        self._over: asyncio.Future[EndReason] = self._loop.create_future()
        self._news = News(record, around.listener)
        self._parts: Assembly | None = None
        self._waste: Waste | None = None
        idle = plan.bot.settings.idle
        self._patience = Patience(idle.prompts, idle.goodbye)
        self._farewell = Farewell(plan.bot.settings.farewell, self._announce)
        self._unheard = False
        """Whether the caller spoke and nothing of it was understood yet."""

    def clock(self) -> int:
        """Milliseconds since the call was accepted."""
        return round((self._loop.time() - self._began) * 1000)

    def tell(self, event: CallEvent) -> None:
        """Something happened; those who want to know are told in order."""
        if isinstance(event, CallerStarted):
            self._unheard = True
            self._patience.spoke()
        elif isinstance(event, Heard | ReplyStarted):
            self._unheard = False
        elif isinstance(event, ReplyEnded) and self._patience.said():
            self.end("idle")
        if self._parts:
            self._parts.heed(event)
        self._farewell.heed(event)
        self._news.tell(event)
        if isinstance(event, Turn):
            self._tell_totals()

    def _tell_totals(self) -> None:
        for totals in (self._waste, self._parts and self._parts.meter):
            if totals and (news := totals.news(self.clock())):
                self._news.tell(news)

    def end(self, reason: EndReason) -> None:
        """The call is over, if it is not already."""
        self._around.sayings.close()
        if not self._over.done():
            self._over.set_result(reason)

    @property
    def verdict(self) -> EndReason | None:
        """Why the call ends, once that is known."""
        around = self._around
        known = next((it for it in (self._over, around.over, around.farewell) if it.done()), None)
        return known.result() if known else None

    def finish(self, reason: EndReason) -> None:
        """Tell the last of it, and write what was told and not yet written."""
        if self._parts:
            self._parts.meter.over()
        self._tell_totals()
        self.tell(CallEnded(at_ms=self.clock(), reason=reason))
        self._news.drain()

    async def run(self, stages: Awaitable[Stages] | None) -> EndReason:
        plan = self._plan
        self.tell(
            CallStarted(
                at_ms=0,
                call_id=plan.id,
                bot=plan.bot.name,
                pipeline=plan.config.name,
                transport=plan.transport,
            )
        )
        made = stages or asyncio.to_thread(build_stages, plan, self._around.site)
        ready = await self._ready(made)
        if ready is None:
            return self._around.over.result() if self._around.over.done() else "provider_failed"
        built = self._assemble(ready)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(built)
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._news.pump()),
                group.create_task(self._watch_caller()),
                group.create_task(self._watch_over()),
                group.create_task(self._watch_farewell()),
            ]
            running = group.create_task(runner.run())
            running.add_done_callback(lambda _: self.end("bot_hung_up"))
            try:
                reason = await self._until_over()
                self.end(reason)
                await self._say_how_it_ended(reason)
            finally:
                await self._stop(runner, running)
                for helper in helpers:
                    helper.cancel()
        return reason

    async def _ready(self, made: Awaitable[Stages]) -> Stages | None:
        """The stages; None if the call is over before they are made, or they take too long."""
        making = asyncio.ensure_future(made)
        first: set[asyncio.Future[Any]] = {making, self._around.over}
        await asyncio.wait(first, timeout=BUILD_SECS, return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
        making.cancel()
        logger.error("the pipeline of the call was not built")
        return None

    async def _until_over(self) -> EndReason:
        """Wait for the caller, then for whatever ends the call first."""
        limits = self._plan.bot.settings.limits
        joined = asyncio.ensure_future(self._joined.wait())
        try:
            async with asyncio.timeout(JOIN_SECS):
                await asyncio.wait({joined, self._over}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return "never_joined"
        finally:
            joined.cancel()
        try:
            async with asyncio.timeout(limits.max_call_secs):
                return await asyncio.shield(self._over)
        except TimeoutError:
            return "max_duration"

    async def _stop(self, runner: WorkerRunner, running: asyncio.Task[None]) -> None:
        """End the pipeline politely, then not."""
        if running.done():
            return
        for stop in (runner.cancel, running.cancel):
            result = stop()
            if asyncio.iscoroutine(result):
                await asyncio.wait({asyncio.ensure_future(result)}, timeout=END_SECS)
            done, _ = await asyncio.wait({running}, timeout=END_SECS)
            if done:
                return

    def _assemble(self, stages: Stages) -> PipelineWorker:
        """Connect the parts, and hear of the caller's coming and going."""
        around = self._around
        kept = Greetings(around.greetings) if around.greetings else None
        place = Place(
            self._transport, around.site, around.state_dir, self._recording(), greetings=kept
        )
        reports = Reports(self.tell, self.clock, self._say)
        parts = Assembly(self._plan, stages, place, reports=reports)
        self._parts, self._waste = parts, Waste(self._plan, stages.books)
        self._tell_totals()
        if isinstance(stages.llm, ReadsAhead):
            self._news.read_ahead = partial(stages.llm.read_ahead, parts.context)
        self._farewell.watch(self._transport.output())
        if around.on_silence:
            on_silence = around.on_silence
            stages.vad.tell = lambda run: on_silence(run.quiet_ms)
        self._hear_caller(parts)
        self._hear_pipeline(parts)
        return parts.worker

    def _hear_caller(self, parts: Assembly) -> None:
        @self._transport.event_handler("on_client_connected")
        async def joined(_: BaseTransport, __: object) -> None:
            # A room tells of each who comes, and a connection that was mended of itself.
            if self._joined.is_set():
                return
            self._joined.set()
            self._news.open_page(parts.worker.rtvi.send_server_message)
            self.tell(CallerJoined(at_ms=self.clock()))
            await parts.worker.queue_frame(await parts.greeting())
            self._around.sayings.open(self._say_as_told)

        @self._transport.event_handler("on_client_disconnected")
        async def left(_: BaseTransport, __: object) -> None:
            self.end("caller_hung_up")

        @parts.cascade.user_aggregator.event_handler("on_user_turn_idle")
        async def silent(_: object) -> None:
            prompt = self._patience.silent()
            self.tell(CallerIdle(at_ms=self.clock(), prompt=prompt))
            await self._say(prompt)

    def _hear_pipeline(self, parts: Assembly) -> None:
        @parts.worker.event_handler("on_idle_timeout")
        async def idle(_: PipelineWorker) -> None:
            self.end("idle")

        @parts.worker.event_handler("on_pipeline_error")
        async def failed(_: PipelineWorker, frame: ErrorFrame) -> None:
            unusable = frame.processor is not None and not frame.processor.is_usable
            line = (self._transport.input(), self._transport.output())
            if unusable or (frame.processor in line and not self._joined.is_set()):
                self.end("provider_failed")
            elif self._left_unanswered(parts.cascade, frame):
                # Silence would be taken for a broken line.
                await self._say(self._plan.bot.settings.apology)

    def _left_unanswered(self, built: cascade.Cascade, error: ErrorFrame) -> bool:
        """Whether that failure leaves the caller, who spoke, without an answer."""
        if error.processor is built.stages.llm:
            return not built.forgives(error)
        return error.processor is built.stages.stt and self._unheard

    def _recording(self) -> RecordingFile | None:
        """Where the two tracks are kept, if anybody asked for them."""
        path = self._around.audio
        if path is None and self._plan.bot.settings.record:
            path = self._record.audio
        limit_secs = self._plan.bot.settings.limits.max_call_secs + JOIN_SECS
        return RecordingFile(path, max_secs=limit_secs) if path else None

    async def _say(self, text: str) -> None:
        """Speak a ready sentence; it becomes part of the conversation."""
        if self._parts:
            await self._parts.worker.queue_frame(TTSSpeakFrame(text))

    async def _say_as_told(self, text: str) -> None:
        """Speak what somebody else wants said."""
        if self._patience.said():
            # The goodbye is being said, and the call ends with it.
            raise ending()
        await self._say(text)

    async def _announce(self, text: str) -> None:
        """Break off whatever is being said and made, and speak what nobody can interrupt."""
        if self._parts:
            sentence = TTSSpeakFrame(text)
            sentence.interruptible = False
            await self._parts.worker.queue_frames([InterruptionFrame(), sentence])

    async def _say_how_it_ended(self, reason: EndReason) -> None:
        """Tell the browser, while there is a line: a call that just stops looks like a fault."""
        if reason == "caller_hung_up" or not self._joined.is_set():
            return
        await self._news.close_page(CallEnded(at_ms=self.clock(), reason=reason))
        await asyncio.sleep(_LAST_WORDS_SECS)

    async def _watch_caller(self) -> None:
        """Notice a caller who vanished without a word."""
        await self._joined.wait()
        silent_secs = 0.0
        while silent_secs < GONE_SECS:
            await asyncio.sleep(1.0)
            silent_secs = 0.0 if self._around.alive() else silent_secs + 1.0
        self.end("caller_hung_up")

    async def _watch_over(self) -> None:
        # The future is not the call's own: a call that ends does not cancel it.
        self.end(await asyncio.shield(self._around.over))

    async def _watch_farewell(self) -> None:
        reason = await asyncio.shield(self._around.farewell)
        if self._joined.is_set():
            await self._farewell.take_leave()
        self.end(reason)
