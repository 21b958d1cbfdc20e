"""What is done before there is a call: once a machine, and never in a call's way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

import hosts.warmth as warmths
from bots.greeting import Greeting, Greetings
from hosts.warmth import AGAIN_SECS, alone, make_once

pytestmark = pytest.mark.unit


class _Greeting:
    """One whose voice is a wait."""

    def __init__(self, folder: Path, *, kept: object = None, fails: bool = False) -> None:
        self.kept = Greetings(folder)
        self.made = 0
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self._found, self._fails = kept, fails

    def key(self, rate_hz: int) -> str:
        return f"key-{rate_hz}"

    async def find(self, rate_hz: int) -> object:
        return self._found

    async def make(self, rate_hz: int, free: Callable[[], Awaitable[object]]) -> None:
        self.made += 1
        self.begun.set()
        await free()
        await self.go.wait()
        if self._fails:
            raise OSError("no room")

    async def once(self) -> None:
        await make_once(cast(Greeting, self))


def test_one_at_a_time_and_not_again_soon(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".making"
    with alone(path) as first, alone(path) as second:
        assert (first, second) == (True, False)
    with alone(path) as soon:
        assert not soon
    state = path.stat()
    os.utime(path, (state.st_atime, state.st_mtime - AGAIN_SECS - 1))
    with alone(path) as later:
        assert later


def test_what_did_not_come_to_its_end_is_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / ".making"
    for _ in range(2):
        with pytest.raises(BlockingIOError), alone(path) as may:
            assert may
            raise BlockingIOError
    with alone(path) as may:
        assert may


async def test_a_greeting_is_made_once(tmp_path: Path) -> None:
    kept = _Greeting(tmp_path, kept=object())
    await kept.once()
    assert kept.made == 0
    makers = [_Greeting(tmp_path) for _ in range(3)]
    making = [asyncio.ensure_future(maker.once()) for maker in makers]
    await asyncio.wait(making[1:])
    for maker in makers:
        maker.go.set()
    await asyncio.wait(making)
    assert sum(maker.made for maker in makers) == 1


async def test_one_that_is_given_up_is_for_the_next(tmp_path: Path) -> None:
    first, second = _Greeting(tmp_path), _Greeting(tmp_path)
    making = asyncio.ensure_future(first.once())
    await first.begun.wait()
    making.cancel()
    await asyncio.wait({making})
    second.go.set()
    await second.once()
    assert second.made == 1


async def test_a_voice_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmths, "MAKE_SECS", 0.01)
    hanging = _Greeting(tmp_path)
    await hanging.once()
    again = _Greeting(tmp_path)
    await again.once()
    assert (hanging.made, again.made) == (1, 0)
