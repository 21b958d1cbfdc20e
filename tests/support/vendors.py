"""Simulated vendors beside a test that blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from evals.simulators.vendors import Vendors

_READY_SECS = 30


@contextmanager
def vendors_beside() -> Generator[Vendors]:
    """Serve from a thread until the block ends."""
    vendors = Vendors()
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with vendors:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(_READY_SECS)
        yield vendors
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
