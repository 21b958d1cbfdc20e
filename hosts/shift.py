"""One call in the process that was made for it: from the order to begin to its end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from loguru import logger

import bots.call
from bots.call import Stages, Surroundings, build_stages
from bots.farewell import FAREWELL_SECS
from bots.greeting import FOLDER
from bots.plan import CallPlan
from bots.sayings import Sayings
from hosts.legs import Leg, leg
from hosts.pulse import Pulse
from hosts.requests import Order
from hosts.site import FixedSite
from hosts.urgency import Urgency
from records.events import (
    BargedIn,
    CallEnded,
    CallerJoined,
    CallerStarted,
    CallEvent,
    CallStarted,
    CutIn,
    EndReason,
    Failed,
    FalseStop,
    Filled,
    Regret,
    ReplyStarted,
    Retried,
    ToolCalled,
    Turn,
    Used,
)
from records.record import CallFacts, FolderStore, FolderWriter

UNUSED_SECS = 30.0
"""How long a call may wait for its caller."""
POLITE_SECS = 7.0
"""How long it may take to end once it was told to; whoever told it waits a second more."""
MARGIN_SECS = 60.0
"""How much longer than its longest a call may take, with all that goes before and after it."""
HEAD_START_SECS = 0.3
"""How long building waits for the caller, whose offer is answered sooner without it."""
_CLOSE_SECS = 3.0
"""How long letting go of the caller may take."""

Stage = Literal["waiting", "calling", "ending"]

_PASSED_ON = (
    BargedIn, CallEnded, CallerJoined, CallerStarted, CallStarted, CutIn, Failed, FalseStop,
    Filled, Regret, Retried, ToolCalled, Turn, Used,
)  # fmt: skip
"""Events that the host is told of; of `ReplyStarted` the first."""


class _OneRecord(FolderStore):
    """Knows the record that it opened, so that it can be closed when the call does not do it."""

    _writer: FolderWriter | None = None

    def open(self, facts: CallFacts) -> FolderWriter:
        self._writer = super().open(facts)
        return self._writer

    def close(self, reason: EndReason, *, at_ms: int) -> None:
        """End it, if it was opened and has not ended."""
        if self._writer:
            self._writer.append(CallEnded(at_ms=at_ms, reason=reason))
            self._writer.close(reason)


class Shift:
    """One call.

    Args:
        order: What it begins with.
        stages: What was built in advance for the same bot, pipeline and site, if anything was.
        tell: Told of each event that the host wants to know of.
        tell_end: Told why the call ended, once, as the last thing.
        pulse: Measures this process.

    Raises:
        BadRequestError: The plan, the site or the ticket cannot be read.
    """

    def __init__(
        self,
        order: Order,
        stages: asyncio.Future[Stages] | None,
        *,
        tell: Callable[[CallEvent], None],
        tell_end: Callable[[EndReason], None],
        pulse: Pulse,
    ) -> None:
        self.order = order
        self.plan = CallPlan.from_json(order.plan)
        self.leg: Leg = leg(order.ticket)
        self.stage: Stage = "waiting"
        self.reason: EndReason | None = None
        """Why it ends, once that is known."""
        self.sayings = Sayings()
        """What the bot is told to say."""
        self._site = FixedSite(order.site)
        self._prebuilt = stages
        self._tell = tell
        self._tell_end = tell_end
        self._pulse = pulse
        self._loop = asyncio.get_running_loop()
        self._records = _OneRecord(order.records)
        self._over: asyncio.Future[EndReason] = self._loop.create_future()
        self._farewell: asyncio.Future[EndReason] = self._loop.create_future()
        self._began_secs = self._loop.time()
        self._replied = False
        self._urgency = Urgency()
        self._came = asyncio.Event()

    async def live(self) -> None:
        """From the wait for the caller to their end."""
        limit_secs = self.plan.bot.settings.limits.max_call_secs + MARGIN_SECS
        self._loop.call_later(UNUSED_SECS + limit_secs, self._cut, "max_duration")
        try:
            self.reason = await self._live()
        except Exception:  # noqa: BLE001 - it is told as the reason, and the process ends anyway
            logger.exception("call {} failed", self.plan.id)
            self.reason = "crashed"
        self.stage = "ending"
        self.sayings.close()
        self._urgency.over()
        self._loop.call_later(POLITE_SECS, self._cut, self.reason)
        await self._let_go()
        self._tell_end(self.reason)

    def end(self, reason: EndReason) -> None:
        """The call is over: it ends at once, for that reason if there was none before."""
        self.sayings.close()
        self._expect(reason, POLITE_SECS)
        if not self._over.done():
            self._over.set_result(reason)

    def take_leave(self, reason: EndReason) -> None:
        """The bot says its farewell, then the call ends for that reason."""
        if self.stage == "waiting":
            self.end(reason)
        elif not self._farewell.done():
            self.sayings.close()
            self._expect(reason, FAREWELL_SECS + POLITE_SECS)
            self._farewell.set_result(reason)

    async def _live(self) -> EndReason:
        # Not while an offer is answered; during ICE, or what a slower caller has to do before.
        stages = asyncio.ensure_future(self._stages())
        # Of a call that ends before it, nobody asks what became of it.
        stages.add_done_callback(lambda done: done.cancelled() or done.exception())
        early = await self._wait_for_caller()
        if early:
            stages.cancel()
            return early
        self.stage, self._began_secs = "calling", self._loop.time()
        transport = self.leg.transport()
        self._pulse.watch(transport)
        self._pulse.tell_waiting = self._urgency.waited
        around = Surroundings(
            site=self._site,
            records=self._records,
            state_dir=self.order.state_dir,
            # The records' folder is one of the data folder's.
            greetings=self.order.records.parent / FOLDER,
            listener=self._pass_on,
            alive=self.leg.alive,
            over=self._over,
            farewell=self._farewell,
            on_silence=self._urgency.silent,
            sayings=self.sayings,
        )
        return await bots.call.run(self.plan, transport, around, stages=stages)

    async def _wait_for_caller(self) -> EndReason | None:
        """None when they came, else why the call ends without a record."""
        arrival = asyncio.ensure_future(self.leg.arrival())
        waited: set[asyncio.Future[Any]] = {arrival, self._over}
        try:
            await asyncio.wait(waited, timeout=UNUSED_SECS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
        self._came.set()
        if self._over.done():
            return self._over.result()
        return None if arrival.done() else "never_joined"

    async def _stages(self) -> Stages:
        if self._prebuilt:
            return await self._prebuilt
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAD_START_SECS):
                await self._came.wait()
        return await asyncio.to_thread(build_stages, self.plan, self._site)

    async def _let_go(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECS):
                await self.leg.close()
        except TimeoutError:
            logger.error("the caller of call {} could not be let go in time", self.plan.id)
        except Exception:  # noqa: BLE001 - the process ends anyway
            logger.exception("the caller of call {} could not be let go", self.plan.id)

    def _pass_on(self, event: CallEvent) -> None:
        self._urgency.heed(event)
        first = isinstance(event, ReplyStarted) and not self._replied
        self._replied = self._replied or first
        if first or isinstance(event, _PASSED_ON):
            self._tell(event)

    def _expect(self, reason: EndReason, secs: float) -> None:
        self._loop.call_later(secs, self._cut, reason)

    def _cut(self, reason: EndReason) -> None:
        """It did not end in time: write down why and end the process, whatever it is at."""
        logger.error("call {} did not end in time; its process ends", self.plan.id)
        at_ms = round((self._loop.time() - self._began_secs) * 1000)
        with suppress(OSError):
            self._records.close(self.reason or reason, at_ms=at_ms)
        self._tell_end(self.reason or reason)
        os._exit(1)
