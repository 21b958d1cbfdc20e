"""An answer in server-sent events: at a model's pace, with its fault where it shall strike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from aiohttp import web

from evals.simulators.vendors import Course, Desk

_RUBBISH = '{"choices": [{"delta": <html>502 Bad Gateway'


class Events:
    """An async context manager that sends one answer.

    An answer whose hearer leaves before its end counts as abandoned.
    """

    def __init__(self, desk: Desk, course: Course, service: str) -> None:
        self._desk = desk
        self._course = course
        self._service = service
        self._response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8"}
        )
        self._clock = asyncio.get_running_loop().time
        self._due = 0.0

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def __aenter__(self) -> Events:
        await self._response.prepare(self._course.request)
        # What the simulation itself takes is in the time that it plays.
        ttft_secs = self._desk.behaviour.wits.ttft.draw_secs(self._desk.random)
        self._due = self._course.came_secs + ttft_secs
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ConnectionResetError):
            self._desk.abandoned[self._service] += 1

    async def token(self, data: Mapping[str, Any], *, event: str = "", tokens: int = 1) -> None:
        """Send a token when it is due.

        `tokens` is 0 for an opening that is not billed: the first token is due with it.
        """
        await asyncio.sleep(max(0.0, self._due - self._clock()))
        self._due += tokens / self._desk.behaviour.wits.tokens_per_sec
        await self.send(data, event=event)
        self._desk.spent["tokens"] += tokens

    async def send(self, data: Mapping[str, Any] | str, *, event: str = "") -> None:
        """Send an event at once.

        Raises:
            ConnectionResetError: Nobody is there to hear it.
        """
        text = data if isinstance(data, str) else json.dumps(data)
        if await self._course.next():
            text = _RUBBISH
        name = f"event: {event}\n" if event else ""
        await self._response.write(f"{name}data: {text}\n\n".encode())
