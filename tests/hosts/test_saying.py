"""What the host has a bot say is heard and recorded, in a call's own process over real WebRTC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from errors import OffhookError
from tests.support.children import WAIT_SECS, Connected, Forked, calling, forked, forks, order, plan

pytestmark = pytest.mark.integration

TEXT = "The doctor is ten minutes late."


@pytest.fixture
async def child(tmp_path: Path) -> AsyncGenerator[Forked]:
    async with forked(tmp_path / "run", forks()) as child:
        yield child


async def refused(host: Connected, text: str = TEXT) -> str:
    with pytest.raises(OffhookError) as caught:
        await host.channel.ask("say", timeout_secs=30, text=text)
    return caught.value.code


async def test_it_is_heard_and_becomes_part_of_the_record(child: Forked, tmp_path: Path) -> None:
    async with calling(child, tmp_path) as call:
        await call.host.until("event", "turn")
        await asyncio.sleep(1)
        asked_secs = asyncio.get_running_loop().time()
        assert await call.host.channel.ask("say", text=f"  {TEXT} ") == {}
        async with asyncio.timeout(WAIT_SECS):
            while TEXT not in call.said():  # noqa: ASYNC110 - a file grows
                await asyncio.sleep(0.1)
        assert call.caller.heard_since(asked_secs) > 0.5
        assert await refused(call.host, "two\nlines") == "bad_fields"
        await call.host.channel.ask("drain")
        assert await refused(call.host) == "ending"
        assert await call.ended() == "drained"


async def test_nobody_is_spoken_to_before_they_have_come(child: Forked, tmp_path: Path) -> None:
    async with child.connected() as host:
        assert await refused(host) == "no_call"
        await host.channel.ask("begin", timeout_secs=30, **order(plan(), tmp_path))
        assert await refused(host) == "not_joined"
        await host.channel.ask("hang_up")
        assert (await host.until("ended"))["reason"] == "caller_hung_up"
