"""Waits for what nothing tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAIT_SECS = 60.0


async def until(true: Callable[[], object], *, secs: float = WAIT_SECS) -> None:
    """Return when it is true.

    Raises:
        TimeoutError: It does not become so.
    """
    async with asyncio.timeout(secs):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
