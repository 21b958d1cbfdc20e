"""What happens in a call, told in order to the record, the listener and the caller's page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from records.events import CallEvent, Heard
from records.record import CallWriter

_CATCH_UP_SECS = 0.5
"""How long the page may take for what was told before the last event."""

Listener = Callable[[CallEvent], None]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class News:
    """Keeps the order: an event is kept and shown when all before it were.

    Args:
        record: Where each event is kept.
        listener: Told of each event as it is kept.
    """

    def __init__(self, record: CallWriter, listener: Listener | None) -> None:
        self._record = record
        self._listener = listener
        self._events: asyncio.Queue[CallEvent] = asyncio.Queue()
        self._unshown: list[CallEvent] = []
        self._page: Send | None = None
        self.read_ahead: Callable[[str], Awaitable[None]] | None = None
        """Told of what the caller has said so far."""

    def tell(self, event: CallEvent) -> None:
        """Something happened."""
        self._events.put_nowait(event)

    def open_page(self, send: Send) -> None:
        """The page is there: show it what it has not seen, also from before it came."""
        self._page = send

    async def close_page(self, last: CallEvent) -> None:
        """Show the page what was told so far, then `last`, and nothing from then on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_SECS):
                await self._events.join()
        page, self._page = self._page, None
        if page:
            for event in (*self._unshown, last):
                await _show(page, event)

    async def pump(self) -> None:
        """Keep and show each event as it comes; for a task of its own."""
        while True:
            event = await self._events.get()
            try:
                self._keep(event)
                if isinstance(event, Heard) and self.read_ahead:
                    await self.read_ahead(event.text)
                await self._show(event)
            finally:
                self._events.task_done()

    def drain(self) -> None:
        """Keep what was told and not yet kept."""
        while not self._events.empty():
            self._keep(self._events.get_nowait())

    async def _show(self, event: CallEvent) -> None:
        """Show an event to the page, or as soon as there is one."""
        self._unshown.append(event)
        while self._page and self._unshown:
            await _show(self._page, self._unshown.pop(0))

    def _keep(self, event: CallEvent) -> None:
        self._record.append(event)
        if self._listener:
            self._listener(event)


async def _show(page: Send, event: CallEvent) -> None:
    await page({"type": "offhook", "event": event.model_dump(mode="json")})
