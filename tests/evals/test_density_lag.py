"""How late a loop is told to be, and that what measures it does not stop for itself."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from evals.density_lag import LagProbe, spare

pytestmark = pytest.mark.unit


async def test_a_loop_that_was_kept_is_as_late_as_it_was_kept() -> None:
    probe = LagProbe()
    running = asyncio.create_task(probe.run())
    await asyncio.sleep(0.05)
    time.sleep(0.1)  # noqa: ASYNC251 - this is what is measured
    await asyncio.sleep(0.05)
    running.cancel()
    assert max(probe.take()) >= 70
    assert probe.take() == []


def test_what_is_spared_is_no_longer_gone_through() -> None:
    kept = [[number] for number in range(1000)]
    spare()
    try:
        assert gc.get_freeze_count() > len(kept)
        assert not any(it is kept for it in gc.get_objects())
    finally:
        gc.unfreeze()
