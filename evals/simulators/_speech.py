"""A simulated voice at work: texts are given to it in turn, their sound comes in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

from aiohttp import web

from evals.simulators._hum import Chunk, chunks
from evals.simulators.vendors import Course, CutError, Desk, Seen

RUBBISH = '{"this is not'
"""What a `malformed` fault sends in place of a message."""


class Speech:
    """One reply, or one request: what is said so far, and what is still to be said."""

    def __init__(self, desk: Desk, course: Course, *, sample_rate_hz: int) -> None:
        self._desk = desk
        self._voice = desk.behaviour.voice
        self._random = desk.random
        self._course = course
        self._rate_hz = sample_rate_hz
        self._texts: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()

    def say(self, text: str) -> None:
        """Say it after what is said already."""
        ready_at = asyncio.get_running_loop().time() + self._voice.ttfb.draw_secs(self._random)
        self._desk.spent["characters"] += len(text)
        self._texts.put_nowait((ready_at, text))

    def end(self) -> None:
        """Nothing more is to be said."""
        self._texts.put_nowait(None)

    async def events(self) -> AsyncIterator[Chunk | Literal["malformed", "said"]]:
        """The sound, as fast as the behaviour wants it; `said` after each text; ends after `end`.

        Raises:
            CutError: The connection was cut instead.
        """
        while (item := await self._texts.get()) is not None:
            ready_at, text = item
            # What making it takes is in the time that a voice is given.
            sound = self._chunks(text)
            await _sleep_until(ready_at)
            for chunk in sound:
                yield await self._course.next() or chunk
                await asyncio.sleep(chunk.secs / self._voice.speed)
            yield "said"

    def _chunks(self, text: str) -> list[Chunk]:
        if self._course.silent:
            return []
        char_secs = self._voice.char_ms / 1000
        return list(chunks(text, char_secs=char_secs, sample_rate_hz=self._rate_hz))


class Tasks:
    """What a socket does beside listening."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do it beside the rest."""
        task = self._group.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def stop(self) -> None:
        """Stop all of it."""
        for task in self._running:
            task.cancel()


@asynccontextmanager
async def beside() -> AsyncGenerator[Tasks]:
    """Tasks that end with the block; a connection that is cut ends both quietly."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = Tasks(group)
            yield tasks
            tasks.stop()
    except* (CutError, ConnectionResetError):
        pass


async def opened(request: web.Request) -> web.WebSocketResponse:
    """Accept the socket."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    return socket


@contextmanager
def heard_to_the_end(desk: Desk, service: str) -> Generator[None]:
    """Around an HTTP answer: one whose hearer leaves before its end counts as abandoned."""
    try:
        yield
    except ConnectionResetError:
        desk.abandoned[service] += 1
        raise


def note(desk: Desk, service: str, message: str) -> None:
    """Remember what came on a socket, for tests: a `MESSAGE` with its text as the body."""
    desk.seen.append(Seen(service, "MESSAGE", "", {}, {}, message))


async def _sleep_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
