"""Processes of calls without a fork server of ours: Python's own forks them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import hosts.child
from bots.plan import CallPlan, plan_call
from hosts.channel import Channel
from hosts.packet import listen
from hosts.rundir import call_socket
from records.record import FolderStore
from tests.support.callers import Caller

WAIT_SECS = 40.0
"""For what takes a second or a few, on a busy machine."""
RENEW_SECS = 1.0


def forks() -> ForkServerContext:
    """Python's fork server, with what a call's process imports."""
    os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hosts.child"])
    return context


@dataclass
class Connected:
    """A host's connection to a call's process, and what was told on it."""

    channel: Channel
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, op: str) -> list[dict[str, Any]]:
        """What was told under that name so far."""
        return [message for message in self.told if message["op"] == op]

    async def until(self, op: str, kind: str | None = None) -> dict[str, Any]:
        """The first message of that name, or the first event of that kind."""
        async with asyncio.timeout(WAIT_SECS):
            while True:
                for message in self.of(op):
                    if kind is None or message["event"]["kind"] == kind:
                        return message
                self.news.clear()
                await self.news.wait()

    async def renew(self) -> None:
        """Keep the call alive, as a host does; for a task."""
        while not self.channel.closed:
            self.channel.tell("renew")
            await asyncio.sleep(RENEW_SECS)


@dataclass
class Forked:
    """A call's process."""

    name: str
    run: Path
    process: ForkServerProcess | None

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.process
        assert self.process.pid
        return self.process.pid

    async def gone(self) -> int:
        """Wait until it has ended by itself; its status."""
        assert self.process
        await asyncio.to_thread(self.process.join, WAIT_SECS)
        assert self.process.exitcode is not None
        return self.process.exitcode

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connected]:
        """A connection, as a host has one."""
        ends: list[Connected] = []

        def hear(message: dict[str, Any], _: list[int]) -> None:
            ends[0].told.append(message)
            ends[0].news.set()

        path = call_socket(self.run, self.name)
        channel = await Channel.connect(path, on_message=hear, on_closed=lambda: None)
        ends.append(Connected(channel))
        try:
            yield ends[0]
        finally:
            channel.close()


@asynccontextmanager
async def forked(run: Path, context: ForkServerContext) -> AsyncGenerator[Forked]:
    """A process that waits for its call; killed if it lives when the block ends."""
    (run / "calls").mkdir(parents=True, exist_ok=True)
    name = secrets.token_hex(4)
    with listen(call_socket(run, name)) as listener:
        kept = {"name": name, "run": run, "log_level": "INFO"}
        process = context.Process(target=hosts.child.main, args=(listener,), kwargs=kept)
        await asyncio.to_thread(process.start)
    try:
        yield Forked(name, run, process)
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


def order(plan: CallPlan, folder: Path, **more: Any) -> dict[str, Any]:
    """What a call begins with; its record and state are below `folder`."""
    told: dict[str, Any] = {
        "session": "a-session",
        "plan": plan.to_json(),
        "site": {"weights": {}, "urls": {}},
        "ticket": {"kind": "webrtc"},
        "records": str(folder / "calls"),
        "state_dir": str(folder / "state"),
        "holder": {"daily_room": "a-room"},
    }
    return told | more


def reason(folder: Path, plan: CallPlan) -> str | None:
    """Why the call ended, as its record says."""
    return FolderStore(folder / "calls").read(plan.id).reason


def plan(**overrides: Any) -> CallPlan:
    """A call of the interviewer's at scripted vendors."""
    return plan_call(bot="interviewer", pipeline="simulated", overrides=overrides)


@dataclass
class Call:
    """One that is on."""

    plan: CallPlan
    host: Connected
    caller: Caller
    folder: Path

    @property
    def reason(self) -> str | None:
        """Why it ended, as its record says."""
        return reason(self.folder, self.plan)

    async def ended(self) -> str:
        """Why it ended, as its process tells."""
        return (await self.host.until("ended"))["reason"]

    def said(self) -> list[str]:
        """What the bot said, reply by reply, as the record has it."""
        events = FolderStore(self.folder / "calls").events(self.plan.id)
        return [event.spoken for event in events if event.kind == "reply_ended"]


@asynccontextmanager
async def calling(child: Forked, folder: Path, *, again: bool = False) -> AsyncGenerator[Call]:
    """A call whose greeting has begun."""
    call, caller = plan(), Caller()
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(child.connected())
        stack.push_async_callback(caller.leave)
        await host.channel.ask("begin", timeout_secs=30, **order(call, folder))
        renewal = asyncio.ensure_future(host.renew())
        stack.callback(renewal.cancel)
        answer = await host.channel.ask("offer", timeout_secs=30, sdp=await caller.offer())
        await caller.take(answer)
        await host.until("event", "reply_started")
        caller.say(again=again)
        yield Call(call, host, caller, folder)
