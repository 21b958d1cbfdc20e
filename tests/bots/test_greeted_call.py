"""A greeting that is ready is heard at once, and the call takes it for a reply like any other."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from bots.bot import load_bot
from bots.call import Surroundings, run
from bots.greeting import FOLDER
from bots.plan import plan_call
from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Latency, Voice
from evals.simulators.vendors import Vendors
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from pipelines.headless import HeadlessTransport, read_speech
from providers.models import ModelStore
from records.events import CallerJoined, CallEvent, ReplyEnded, ReplyStarted
from records.record import FolderStore
from tests.support.waiting import until

pytestmark = pytest.mark.integration

GREETING = load_bot("receptionist").settings.greeting
VOICE_MS = 1500
"""Until its first sound: longer than anything that is ready takes."""
PATIENCE_SECS = 40

E = TypeVar("E", bound=CallEvent)


@dataclass
class _Call:
    """A call to the receptionist, and what is told of it."""

    transport: HeadlessTransport = field(default_factory=HeadlessTransport)
    told: list[CallEvent] = field(default_factory=list[CallEvent])
    silences_ms: list[float] = field(default_factory=list[float])
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: CallEvent) -> None:
        self.told.append(event)
        self.more.set()

    async def wait(self, kind: type[E], count: int = 1) -> E:
        async with asyncio.timeout(PATIENCE_SECS):
            while len(found := [event for event in self.told if isinstance(event, kind)]) < count:
                self.more.clear()
                await self.more.wait()
        return found[count - 1]

    async def greeted_ms(self) -> int:
        """From the caller's coming to the first sound."""
        return (await self.wait(ReplyStarted)).at_ms - (await self.wait(CallerJoined)).at_ms


@asynccontextmanager
async def calling(data: Path) -> AsyncGenerator[_Call]:
    call, plan = _Call(), plan_call(bot="receptionist", pipeline="cloud", transport="headless")
    async with Sidecars() as sidecars:
        around = Surroundings(
            site=LocalSite(ModelStore(offline=True, env=os.environ), sidecars),
            records=FolderStore(data / "calls"),
            state_dir=data / "bots",
            greetings=data / FOLDER,
            listener=call.tell,
            on_silence=call.silences_ms.append,
        )
        running = asyncio.ensure_future(run(plan, call.transport, around))
        yield call
        await call.transport.hang_up()
        await running


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=Voice(ttfb=Latency(p50_ms=VOICE_MS)))) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def _kept(data: Path) -> None:
    """Wait until the greeting is in its file: the voice aside may take longer than the call's."""
    await until(lambda: any((data / FOLDER).glob("*.wav")))


def _spoken(vendors: Vendors) -> int:
    """How often the voice was given the greeting."""
    seen = [it for it in vendors.desk.seen if it.service == "cartesia" and it.method == "MESSAGE"]
    return sum(GREETING in json.loads(it.body).get("transcript", "") for it in seen)


async def test_from_the_second_call_on_it_is_ready(vendors: Vendors, tmp_path: Path) -> None:
    async with calling(tmp_path) as call:
        first_ms = await call.greeted_ms()
        first = await call.wait(ReplyEnded)
        await _kept(tmp_path)
    spoken = _spoken(vendors)
    async with calling(tmp_path) as call:
        second_ms = await call.greeted_ms()
        second = await call.wait(ReplyEnded)

    # Once by the call's own voice, once aside.
    assert spoken == 2
    assert _spoken(vendors) == spoken
    assert second_ms < VOICE_MS <= first_ms
    assert (second.spoken, second.cut) == (first.spoken, first.cut) == (GREETING, "")


async def test_who_speaks_over_it_is_answered(vendors: Vendors, tmp_path: Path) -> None:
    async with calling(tmp_path) as call:
        await call.wait(ReplyEnded)
        await _kept(tmp_path)
    async with calling(tmp_path) as call:
        await call.wait(ReplyStarted)
        await call.transport.say([read_speech(librivox()[1].path)])
        greeting = await call.wait(ReplyEnded)
        answer = await call.wait(ReplyEnded, 2)

    assert greeting.interrupted
    assert min(call.silences_ms) == 0
    assert max(call.silences_ms) >= 500
    assert greeting.spoken
    assert f"{greeting.spoken} {greeting.cut}" == GREETING
    assert answer.spoken.startswith("You said: hello there.")
