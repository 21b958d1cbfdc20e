"""Daily and a LiveKit server themselves: the bot gets into the room, and waits for nobody."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import bots.call
from bots.call import Surroundings, run
from bots.plan import CallPlan, TransportName, plan_call
from errors import NotFoundError
from hosts.daily import DailyRest
from hosts.legs import leg
from hosts.rooms import DailyLine, RoomWish
from hosts.session import Line
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from hosts.transports import Transports, TransportSettings
from providers.models import ModelStore
from records.record import FolderStore

pytestmark = pytest.mark.live


def plan(transport: TransportName) -> CallPlan:
    return plan_call(bot="interviewer", pipeline="simulated", transport=transport)


async def wait_for_nobody(call: CallPlan, line: Line, folder: Path) -> tuple[str, bool]:
    """Why the call ended, and whether the bot had got in."""
    transport = leg(line.ticket()).transport()
    connected = asyncio.Event()

    @transport.event_handler("on_connected")
    async def inside(*_: object) -> None:
        connected.set()

    around = Surroundings(
        site=LocalSite(ModelStore(offline=True, env={}), Sidecars()),
        records=FolderStore(folder),
        state_dir=folder,
    )
    return await run(call, transport, around), connected.is_set()


async def test_a_bot_in_a_daily_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get("DAILY_API_KEY"):
        pytest.skip("needs DAILY_API_KEY")
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.setattr(bots.call, "JOIN_SECS", 15.0)
    call = plan("daily")
    async with DailyRest() as rest:
        line = DailyLine(rest, RoomWish(call.id, bot_name="Offhook's test", life_secs=120))
        try:
            await line.open()
            ended = await wait_for_nobody(call, line, tmp_path)
        finally:
            await line.close()
        assert ended == ("never_joined", True)
        with pytest.raises(NotFoundError):
            await rest.find_room(f"offhook-{call.id}")


async def test_a_bot_in_a_livekit_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transports = Transports(TransportSettings.read(os.environ))
    if transports.lacks("livekit"):
        pytest.skip(" ".join(transports.lacks("livekit")))
    monkeypatch.setattr(bots.call, "JOIN_SECS", 15.0)
    call = plan("livekit")
    line = transports.line(call)
    await line.open()
    assert await wait_for_nobody(call, line, tmp_path) == ("never_joined", True)
    await line.close()
