"""One caller's way in, from `/start` to the end of the process that carried the call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

from loguru import logger
from pydantic import JsonValue, ValidationError

from bots.plan import CallPlan
from bots.sayings import ending, not_joined
from errors import NotFoundError, OffhookError
from hosts.desk import Grant
from hosts.mending import mend
from hosts.vitals import Vitals, process_state
from hosts.watch import Pulse, Watch
from records.events import CALL_EVENT, CallStarted, EndReason

if TYPE_CHECKING:
    from hosts.nursery import Child

Wish = Literal["hang_up", "drain", "stop"]
_REASONS: dict[str, EndReason] = {reason: reason for reason in get_args(EndReason)}
MARGIN_SECS = 120
"""How much longer than the longest call its process, room, token or credential lives."""


class Line(Protocol):
    """The caller's end of one call, whichever way they come, in the process that answers HTTP."""

    async def open(self) -> Mapping[str, object]:
        """Make what the caller needs to come in; what `/start` answers of it.

        Raises:
            OffhookError: It cannot be made; `close` is called nevertheless.
        """
        ...

    def ticket(self) -> dict[str, JsonValue]:
        """How the call's process reaches the caller; once the line is open."""
        ...

    def holder(self) -> dict[str, JsonValue]:
        """What another process needs to close the line; once it is open."""
        ...

    async def close(self) -> None:
        """Give back whatever `open` made, however far it came."""
        ...


@dataclass(frozen=True)
class Errands:
    """What is done for a host by whoever knows weights, records and rooms."""

    prepare: Callable[[CallPlan], Awaitable[None]]
    """Start what the plan needs beside the call; raises OffhookError."""
    brief: Callable[[CallPlan], dict[str, JsonValue]]
    """What a call's process must know of this machine: `site`, `records`, `state_dir`."""
    bury: Callable[[str], object]
    """Close the record of a call whose process is dead; blocking, for a thread."""
    reopen: Callable[[Mapping[str, Any]], Line]
    """The line of a call that another process opened, by its `holder`; good for closing."""


@dataclass(eq=False)
class Session:
    """Made by `/start`, gone with the call."""

    id: str
    plan: CallPlan
    line: Line
    grant: Grant
    """Its slots."""
    key: str | None = None
    """Name of the caller's key, if they have one."""
    stage: Literal["opening", "calling", "closing"] = "opening"
    child: Child | None = None
    vitals: Vitals | None = None
    """Of the process, once it was told to begin."""
    began_secs: float = 0.0
    invitation: asyncio.Future[Mapping[str, object]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    task: asyncio.Task[None] | None = None
    wishes: list[str] = field(default_factory=list[str])
    """What its process was told to do, for the case that it never heard."""
    mending: bool = False
    """Whether its process is being connected to again."""

    def begin(self, child: Child, now_secs: float) -> None:
        """Its process was told to begin."""
        life_secs = self.plan.bot.settings.limits.max_call_secs + MARGIN_SECS
        self.child, self.stage, self.began_secs = child, "calling", now_secs
        self.vitals = Vitals(now_secs, life_secs)

    def tell(self, op: Wish) -> None:
        """Tell its process what is to become of its call, if there is one."""
        if op not in self.wishes:
            self.wishes.append(op)
        if self.child:
            self.child.channel.tell(op)

    async def say(self, text: str) -> None:
        """Have its bot say a sentence, after what it is saying.

        Raises:
            NotTalkingError: The caller is not there yet, or the call is ending.
            ChannelClosedError: Its process does not answer.
        """
        if self.stage == "opening":
            raise not_joined()
        if self.stage == "closing" or self.child is None:
            raise ending()
        await self.child.channel.ask("say", text=text)

    async def mend(self, watch: Watch) -> None:
        """Connect to its process again, whose connection broke; or leave it to its lease."""
        child, vitals = self.child, self.vitals
        if child is None or vitals is None or vitals.reason or self.stage != "calling":
            return
        if self.mending:
            return
        self.mending = True
        try:
            state = await mend(child, wishes=self.wishes)
        finally:
            self.mending = False
        if state is not None:
            logger.warning("the connection to the process of call {} was mended", self.plan.id)
            self.catch_up(state, watch)
        elif child.channel.closed and not child.exited.is_set():
            logger.error("the process of call {} cannot be reached any more", self.plan.id)
            vitals.lost()

    def catch_up(self, state: Mapping[str, Any], watch: Watch) -> None:
        """Know what its process told while nobody listened."""
        if self.vitals:
            self.vitals.pulsed()
            self.vitals.arrived = self.vitals.arrived or state.get("stage") != "waiting"
        if state.get("reason"):
            # It is ending, and has said so to whoever is gone.
            self.hear({"op": "ended", "reason": state["reason"]}, watch)

    def kill(self) -> None:
        """End its process at once, if there is one."""
        if self.child and not self.child.exited.is_set():
            self.child.kill()

    def cancel(self) -> None:
        """End its task, unless it is ending."""
        if self.task and self.stage != "closing" and not self.task.cancelling():
            self.task.cancel()

    async def end_process(self, timeout_secs: float) -> None:
        """End its process at once and wait until it is gone, but no longer than that."""
        child = self.child
        if child is None:
            return
        self.kill()
        try:
            async with asyncio.timeout(timeout_secs):
                await child.exited.wait()
        except TimeoutError:
            logger.error("the process {} of call {} cannot be ended", child.pid, self.plan.id)

    async def close_line(self, timeout_secs: float) -> None:
        """Close its line; whatever goes wrong is only logged."""
        try:
            async with asyncio.timeout(timeout_secs):
                await self.line.close()
        except TimeoutError:
            logger.error("the line of call {} did not close in time", self.plan.id)
        except Exception:  # noqa: BLE001 - no other call may end with it
            logger.exception("the line of call {} did not close", self.plan.id)

    def tend(self, now_secs: float, *, renew: bool) -> None:
        """Tell its process that it is still wanted, if told so, and end it if it hangs."""
        if renew and self.child:
            self.child.channel.tell("renew")
        child, vitals = self.child, self.vitals
        if child is None or vitals is None or self.stage != "calling":
            return
        vitals.look(now_secs)
        state = process_state(child.pid) if vitals.quiet else None
        if vitals.verdict(exited=child.exited.is_set(), state=state) == "kill":
            logger.error("call {} is killed: its process ({}) hangs", self.plan.id, state)
            child.kill()

    def refuse(self, error: OffhookError) -> None:
        """Nobody can come in."""
        if not self.invitation.done():
            self.invitation.set_exception(error)
        # Whoever waited for it may be gone.
        self.invitation.exception()

    def holder(self) -> dict[str, JsonValue]:
        """What another host needs to look after it; once its line is open."""
        return {**self.line.holder(), "key": self.key}

    def order(self) -> dict[str, JsonValue]:
        """What its process is told of the call; once its line is open."""
        return {
            "session": self.id,
            "plan": self.plan.to_json(),
            "ticket": self.line.ticket(),
            "holder": self.holder(),
        }

    async def command(self, order: dict[str, Any]) -> Child:
        """Tell its process to begin; the process.

        Raises:
            ChannelClosedError: It is gone, or does not answer.
            OffhookError: It cannot.
        """
        assert self.child
        await self.child.channel.ask("begin", **order)
        return self.child

    def hear(self, message: Mapping[str, Any], watch: Watch) -> Pulse | None:
        """Take what its process told; its pulse, if that was it. What cannot be read is nothing."""
        vitals, op = self.vitals, message.get("op")
        if vitals is None or self.child is None:
            return None
        if op == "pulse":
            vitals.pulsed()
            pulse = Pulse.read(message)
            watch.pulse(self.child.name, pulse)
            return pulse
        if op == "ended":
            vitals.told_end(_REASONS.get(str(message.get("reason")), "crashed"))
        elif op == "event":
            try:
                event = CALL_EVENT.validate_python(message.get("event"))
            except ValidationError:
                return None
            # The record's first line is written when the caller has come.
            vitals.arrived = vitals.arrived or isinstance(event, CallStarted)
            watch.event(self.plan, event)
        return None


def unknown_session() -> NotFoundError:
    """What is said where there is no such session."""
    return NotFoundError(
        "There is no such session; it has ended or never began. Start a new call.",
        code="unknown_session",
    )


def foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one a person can do something about, of those that came at once."""
    ours, _ = errors.split(OffhookError)
    first = (ours or errors).exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return foremost(cast("BaseExceptionGroup[BaseException]", first))
    return first
