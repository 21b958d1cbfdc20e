"""The connection to a call's process breaks: the call goes on, and is looked after again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api import calls
from api.auth import Keys
from hosts.house import House, HouseSettings
from hosts.lease import TERM_SECS
from hosts.offspring import Child
from hosts.rundir import call_socket, run_dir
from providers.models import ModelStore
from tests.support.callers import Caller
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@dataclass
class Call:
    """One over WebRTC, in a house behind HTTP."""

    house: House
    http: httpx.AsyncClient
    session: str
    caller: Caller
    child: Child
    folder: Path

    def sever(self) -> None:
        """Break the connection to its process from underneath."""
        ours = self.child.channel._sock  # pyright: ignore[reportPrivateUsage]
        ours.shutdown(socket.SHUT_RDWR)

    def reasons(self) -> list[str | None]:
        """Why the calls ended, as their records say."""
        records = (self.folder / "calls").glob("*/record.json")
        return [json.loads(path.read_text()).get("reason") for path in records]

    async def hang_up(self) -> int:
        return (await self.http.delete(f"/sessions/{self.session}")).status_code


@asynccontextmanager
async def calling(folder: Path) -> AsyncGenerator[Call]:
    """A call whose caller hears the greeting."""
    store = ModelStore(env={}, offline=True)
    settings = HouseSettings(slots=1, warm=0)
    caller, app = Caller(), FastAPI()
    async with House(
        models=store, data_dir=folder, pipeline="simulated", settings=settings
    ) as house:
        app.include_router(calls.router(house, Keys("")))
        edge = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=edge, base_url="http://here", timeout=30) as http:
            session = (await http.post("/start", json={})).json()["sessionId"]
            offer = {"type": "offer", "sdp": await caller.offer()}
            answer = await http.post(f"/sessions/{session}/api/offer", json=offer)
            await caller.take(answer.json())
            try:
                await until(lambda: caller.loud_secs)
                child = house.host.session(session).child
                assert child
                yield Call(house, http, session, caller, child, folder)
            finally:
                await caller.leave()


async def test_the_call_goes_on_and_can_be_hung_up(tmp_path: Path) -> None:
    async with calling(tmp_path) as call:
        for _ in range(2):
            broken = call.child.channel
            call.sever()
            await until(lambda: call.child.channel is not broken)  # noqa: B023
            await until(lambda: not call.child.channel.closed)
        # Longer than a lease: it is renewed.
        await asyncio.sleep(TERM_SECS + 2)
        assert (call.house.host.live, call.reasons()) == (1, [None])
        said = await call.http.post(f"/sessions/{call.session}/say", json={"text": "Still here."})
        assert said.status_code == 204
        assert await call.hang_up() == 204
        assert (call.house.host.live, call.house.levels().slots_taken) == (0, 0)
        assert call.reasons() == ["caller_hung_up"]


async def test_what_it_was_told_while_the_connection_was_broken_is_told_again(
    tmp_path: Path,
) -> None:
    async with calling(tmp_path) as call:
        call.sever()
        await until(lambda: call.child.channel.closed)
        assert await call.hang_up() == 204
        # Of one that had to be killed the record would say that it crashed.
        assert call.reasons() == ["caller_hung_up"]


async def test_one_that_cannot_be_reached_any_more_ends_with_its_lease(tmp_path: Path) -> None:
    async with calling(tmp_path) as call:
        call_socket(run_dir(tmp_path), call.child.name).unlink()
        call.sever()
        await until(lambda: call.house.host.live == 0)
        assert call.house.levels().slots_taken == 0
        assert call.reasons() == ["host_lost"]
