"""A host's surroundings without a process: lines, children and a watch that do as they are told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bots.plan import CallPlan
from errors import OffhookError
from hosts.admission import Admission
from hosts.host import Host
from hosts.session import Errands
from hosts.watch import Nobody, Pulse, Refusal, Spawn
from records.events import CallEvent, EndReason


class Wire:
    """A line that does as the test says and keeps what was done with it."""

    def __init__(
        self,
        *,
        opening: Callable[[], Awaitable[None]] | None = None,
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.log: list[str] = []
        self._opening = opening
        self._closing = closing

    async def open(self) -> Mapping[str, object]:
        self.log.append("open")
        if self._opening:
            await self._opening()
        return {"door": "open"}

    def ticket(self) -> dict[str, Any]:
        return {"kind": "wire"}

    def holder(self) -> dict[str, Any]:
        return {"wire": "this"}

    async def close(self) -> None:
        self.log.append("closing")
        if self._closing:
            await self._closing()
        self.log.append("closed")


class Talk:
    """The channel to a process that is none: keeps what it is told, answers what it is asked."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.told: list[str] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.on_told: dict[str, Callable[[], None]] = {}
        self.on_begin: Callable[[], Awaitable[None]] | None = None
        self._state = state

    def tell(self, op: str, **fields: Any) -> None:
        self.told.append(op)
        if op in self.on_told:
            self.on_told[op]()

    async def ask(self, op: str, *, timeout_secs: float = 5.0, **fields: Any) -> dict[str, Any]:
        self.asked.append((op, fields))
        if op == "begin" and self.on_begin:
            await self.on_begin()
        return self._state if op == "state" else {"answer": op}

    def close(self) -> None:
        pass


class Body:
    """A process that is none: it lives until it is killed or told to end."""

    def __init__(self, *, polite: bool = True, state: dict[str, Any] | None = None) -> None:
        self.name = "body"
        self.pid = os.getpid()
        self.warm = False
        self.channel: Any = Talk(state or {})
        self.exited = asyncio.Event()
        self.killed = False
        self.on_message: Callable[[dict[str, Any]], None] = lambda _: None
        for op, reason in {
            "hang_up": "caller_hung_up",
            "drain": "drained",
            "stop": "drained",
        }.items():
            if polite:
                self.channel.on_told[op] = lambda reason=reason: self.end(reason)

    def kill(self) -> None:
        self.killed = True
        self.exited.set()

    def end(self, reason: str) -> None:
        self.on_message({"op": "ended", "reason": reason})
        self.exited.set()


@dataclass
class Ward:
    """A nursery of bodies, and what is told of them."""

    polite: bool = True
    taking: Callable[[], Awaitable[None]] | None = None
    on_begin: Callable[[], Awaitable[None]] | None = None
    preparing: Callable[[], Awaitable[None]] | None = None
    burying: Callable[[], None] | None = None
    bodies: list[Body] = field(default_factory=list[Body])
    buried: list[str] = field(default_factory=list[str])
    reopened: Wire = field(default_factory=Wire)

    async def take(self, *, digest: str | None = None) -> Any:
        if self.taking:
            await self.taking()
        body = Body(polite=self.polite)
        body.channel.on_begin = self.on_begin
        self.bodies.append(body)
        return body

    async def prepare(self, _: CallPlan) -> None:
        if self.preparing:
            await self.preparing()

    def bury(self, call_id: str) -> None:
        self.buried.append(call_id)
        if self.burying:
            self.burying()

    def host(self, slots: int = 1, **more: Any) -> Host:
        errands = Errands(
            prepare=self.prepare,
            brief=lambda _: {"site": {}},
            bury=self.bury,
            reopen=lambda _: self.reopened,
        )
        admission = more.pop("admission", None) or Admission(slots)
        return Host(self, errands, admission=admission, **more)


class Log(Nobody):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, plan: CallPlan) -> None:
        self.lines.append("started")

    def event(self, plan: CallPlan, event: CallEvent) -> None:
        self.lines.append(event.kind)

    def pulse(self, name: str, pulse: Pulse) -> None:
        self.lines.append(f"pulse {pulse.lag_p99_ms:.0f}")

    def ended(self, plan: CallPlan, reason: EndReason, secs: float) -> None:
        self.lines.append(f"ended {reason}")

    def refused(self, why: Refusal) -> None:
        self.lines.append(f"refused {why}")

    def spawned(self, kind: Spawn, ms: float) -> None:
        self.lines.append(f"spawned {kind}")


async def hanging() -> None:
    await asyncio.Event().wait()


async def refusing() -> None:
    raise OffhookError("there is no room", code="no_room")
