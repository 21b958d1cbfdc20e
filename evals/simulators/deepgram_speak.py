"""Deepgram's text to speech: one voice on a WebSocket, its sound in binary messages."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from evals.simulators._hum import Chunk
from evals.simulators._speech import RUBBISH, Speech, Tasks, beside, note, opened
from evals.simulators.vendors import Course, Desk

_SERVICE = "deepgram-speak"
_RATES_HZ = ("8000", "16000", "24000", "32000", "48000")
_MAX_LETTERS = 2000
_MAX_FLUSHES = 20
_FLUSH_WINDOW_SECS = 60.0
_SENTENCE = re.compile(r".*?[.!?]+\s+", re.DOTALL)


def routes(desk: Desk) -> list[web.RouteDef]:
    """The socket."""

    async def speak(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, _SERVICE)
        if not request.headers.get("Authorization", "").startswith(("Token ", "Bearer ")):
            return _refusal(401, "INVALID_AUTH", "Invalid credentials.")
        query = request.query
        if query.get("encoding", "linear16") != "linear16":
            return _refusal(400, "UNSUPPORTED_AUDIO_FORMAT", "Only linear16 is simulated.")
        if query.get("sample_rate", "24000") not in _RATES_HZ:
            return _refusal(400, "UNSUPPORTED_AUDIO_FORMAT", "No such sample_rate.")
        socket = await opened(request)
        async with beside() as tasks:
            voice = _Voice(desk, course, socket, tasks, int(query.get("sample_rate", "24000")))
            await voice.greet(query.get("model", "aura-asteria-en"))
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    note(desk, _SERVICE, message.data)
                    await voice.take(message.data)
        return socket

    return [web.get("/deepgram/v1/speak", speak)]


def _refusal(status: int, code: str, message: str) -> web.Response:
    body = {"err_code": code, "err_msg": message, "request_id": str(uuid4())}
    return web.json_response(body, status=status, headers={"dg-error": message})


@dataclass
class _Voice:
    """What is being said on one socket; text waits for the end of its sentence or a flush."""

    desk: Desk
    course: Course
    socket: web.WebSocketResponse
    tasks: Tasks
    rate_hz: int
    buffer: str = ""
    flushes_at: list[float] = field(default_factory=list[float])
    telling: asyncio.Task[None] | None = None
    speech: Speech = field(init=False)
    sequence_id: int = 0

    def __post_init__(self) -> None:
        self._begin()

    async def greet(self, model: str) -> None:
        """Say who speaks."""
        await self._send("Metadata", request_id=str(uuid4()), model_name=model)

    async def take(self, text: str) -> None:
        """Do what a message asks for."""
        try:
            body: dict[str, Any] = json.loads(text)
            kind = body["type"]
        except (ValueError, KeyError, TypeError):
            await self.socket.close(code=1008, message=b"DATA-0000")
            return
        if kind == "Speak":
            await self._speak(str(body.get("text", "")))
        elif kind == "Flush":
            await self._flush()
        elif kind == "Clear":
            await self._clear()
        elif kind == "Close":
            await self.socket.close()
        else:
            await self._send("Warning", description=f"Unknown message {kind}", code="DATA-0001")

    async def _speak(self, text: str) -> None:
        if len(text) > _MAX_LETTERS:
            await self._send("Warning", description="The text is too long.", code="DATA-0002")
            return
        self.buffer += text
        while found := _SENTENCE.match(self.buffer):
            self.speech.say(found[0])
            self.buffer = self.buffer[found.end() :]

    async def _flush(self) -> None:
        now = asyncio.get_running_loop().time()
        self.flushes_at = [at for at in self.flushes_at if now - at < _FLUSH_WINDOW_SECS] + [now]
        if len(self.flushes_at) > _MAX_FLUSHES:
            await self._send("Warning", description="Too many flushes.", code="EXCESSIVE_FLUSH")
            return
        if self.buffer.strip():
            self.speech.say(self.buffer)
        self.buffer = ""
        self.speech.end()

    async def _clear(self) -> None:
        if self.telling:
            self.telling.cancel()
        self.desk.abandoned[_SERVICE] += 1
        self.buffer = ""
        self._begin()
        await self._sequence("Cleared")

    def _begin(self) -> None:
        self.speech = Speech(self.desk, self.course, sample_rate_hz=self.rate_hz)
        self.telling = self.tasks.start(self._tell())

    async def _tell(self) -> None:
        """Send the sound up to each flush, then that it is all."""
        while True:
            async for event in self.speech.events():
                if isinstance(event, Chunk):
                    await self.socket.send_bytes(event.audio)
                elif event == "malformed":
                    await self.socket.send_str(RUBBISH)
            await self._sequence("Flushed")

    async def _sequence(self, kind: str) -> None:
        await self._send(kind, sequence_id=self.sequence_id)
        self.sequence_id += 1

    async def _send(self, kind: str, **more: Any) -> None:
        await self.socket.send_json({"type": kind} | more)
