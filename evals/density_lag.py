"""How late an event loop runs what is due, and what would make it late."""

from __future__ import annotations

import asyncio
import gc

_NAP_SECS = 0.02


def spare() -> None:
    """Leave what there is out of garbage collection from now on.

    A full one stops a process that simulates for longer than what is measured may take.
    """
    gc.collect()
    gc.freeze()


class LagProbe:
    """Sleeps shortly, again and again, and notes by how much each sleep was too long."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def run(self) -> None:
        """Note, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _NAP_SECS
            await asyncio.sleep(_NAP_SECS)
            self.late_ms.append((loop.time() - due) * 1000)

    def take(self) -> list[float]:
        """What was noted since the last time."""
        taken, self.late_ms = self.late_ms, []
        return taken
