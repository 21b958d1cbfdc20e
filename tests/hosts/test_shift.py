"""When a call's stages are built: never while its caller's offer is answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

import bots.call
import hosts.shift
from bots.plan import plan_call
from hosts.pulse import Pulse
from hosts.requests import Order
from hosts.shift import Shift
from tests.support.children import order

pytestmark = pytest.mark.unit


class _Leg:
    """A caller who comes when told."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    async def arrival(self) -> None:
        await self.came.wait()

    def transport(self) -> object:
        return self

    def output(self) -> Any:
        return self

    async def write_audio_frame(self, _: object) -> bool:
        return True

    def alive(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the stages are built."""
    done = threading.Event()

    async def run(*_: object, stages: Awaitable[object], **__: object) -> str:
        assert await stages == "stages"
        return "caller_hung_up"

    def build(*_: object) -> str:
        done.set()
        return "stages"

    def leg(_: object) -> _Leg:
        return _Leg()

    monkeypatch.setattr(hosts.shift, "leg", leg)
    monkeypatch.setattr(hosts.shift, "build_stages", build)
    monkeypatch.setattr(bots.call, "run", run)
    return done


def unheard(_: object) -> None:
    """Nobody listens."""


def shift(folder: Path) -> Shift:
    told = Order.model_validate(order(plan_call(pipeline="simulated"), folder))
    return Shift(told, None, tell=unheard, tell_end=unheard, pulse=Pulse(unheard))


async def test_nothing_is_built_before_the_offer_is_answered(
    built: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts.shift, "HEAD_START_SECS", 600.0)
    call = shift(tmp_path)
    living = asyncio.ensure_future(call.live())
    await asyncio.sleep(0.05)
    assert not built.is_set()
    leg: Any = call.leg
    leg.came.set()
    await living
    assert built.is_set()
    assert call.reason == "caller_hung_up"


async def test_a_caller_who_takes_their_time_finds_it_built(
    built: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts.shift, "HEAD_START_SECS", 0.01)
    call = shift(tmp_path)
    living = asyncio.ensure_future(call.live())
    assert await asyncio.to_thread(built.wait, 30)
    call.end("never_joined")
    await living
    assert call.reason == "never_joined"
