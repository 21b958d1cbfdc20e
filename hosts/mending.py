"""A call's process is connected to again, when the connection broke and it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from errors import OffhookError
from hosts.channel import ChannelClosedError

if TYPE_CHECKING:
    from hosts.offspring import Child

LIMIT_SECS = 5.0
"""How long connecting is tried; the process's lease lasts longer."""
_PAUSES_SECS = (0.05, 0.1, 0.2, 0.5)
"""Before each try: a process that ends closes its connections first. The last goes on."""
_STATE_SECS = 2.0


async def mend(child: Child, *, wishes: Sequence[str]) -> dict[str, Any] | None:
    """Connect to the process again, and ask what it does; None if it is gone or out of reach.

    Args:
        child: Its channel is closed; closed again if it is out of reach.
        wishes: What it is told at once, for it may not have heard it; may grow meanwhile.
    """
    while await _reconnects(child):
        try:
            for op in ("renew", *wishes):
                child.channel.tell(op)
            state = await child.channel.ask("state", timeout_secs=_STATE_SECS)
        except OffhookError:
            # One that hangs is ended by whoever counts how long it is silent.
            child.channel.close()
            continue
        # It may have broken again in that very moment.
        if not child.channel.closed:
            return state
    return None


async def _reconnects(child: Child) -> bool:
    try:
        async with asyncio.timeout(LIMIT_SECS):
            for pause_secs in _pauses():
                if await _exits(child, pause_secs):
                    break
                try:
                    await child.reconnect()
                except ChannelClosedError:
                    continue
                return True
    except TimeoutError:
        pass
    return False


async def _exits(child: Child, within_secs: float) -> bool:
    try:
        async with asyncio.timeout(within_secs):
            await child.exited.wait()
    except TimeoutError:
        return False
    return True


def _pauses() -> Iterator[float]:
    return chain(_PAUSES_SECS, repeat(_PAUSES_SECS[-1]))
