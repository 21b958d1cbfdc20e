"""One clock for all: it goes forward, as the event loop's does."""

from __future__ import annotations

import asyncio

import pytest

from processors.clock import now_ms

pytestmark = pytest.mark.unit


async def test_it_is_the_event_loops_clock_in_milliseconds() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time() * 1000
    assert before <= now_ms() <= loop.time() * 1000
