"""ElevenLabs' text to speech: contexts on one WebSocket, the times of letters."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from evals.simulators._hum import Chunk
from evals.simulators._speech import RUBBISH, Speech, Tasks, beside, note, opened
from evals.simulators.vendors import Course, Desk

_SERVICE = "elevenlabs"


def routes(desk: Desk) -> list[web.RouteDef]:
    """The socket."""

    async def speak(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, _SERVICE)
        if not request.headers.get("xi-api-key"):
            return _refusal(401, "invalid_api_key", "An API key is required.")
        layout, _, rate_hz = request.query.get("output_format", "").partition("_")
        if layout != "pcm" or not rate_hz.isdigit():
            return _refusal(400, "invalid_output_format", "Only pcm_RATE is simulated.")
        socket = await opened(request)
        async with beside() as tasks:
            contexts = _Contexts(desk, course, socket, tasks, int(rate_hz))
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    note(desk, _SERVICE, message.data)
                    await contexts.take(message.data)
        return socket

    return [web.get("/elevenlabs/v1/text-to-speech/{voice}/multi-stream-input", speak)]


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"detail": {"status": code, "message": message}}, status=status)


@dataclass
class _Context:
    """One reply."""

    speech: Speech
    telling: asyncio.Task[None]
    flushed: bool = False
    ended: bool = False


@dataclass
class _Contexts:
    """What is being said on one socket."""

    desk: Desk
    course: Course
    socket: web.WebSocketResponse
    tasks: Tasks
    rate_hz: int
    open: dict[str, _Context] = field(default_factory=dict[str, _Context])

    async def take(self, text: str) -> None:
        """Do what a message asks for."""
        try:
            body: dict[str, Any] = json.loads(text)
        except ValueError:
            await self.socket.close(code=1008, message=b"invalid_message")
            return
        context_id = str(body.get("context_id", ""))
        if body.get("close_socket"):
            await self.socket.close()
        elif body.get("close_context"):
            await self._close(context_id)
        elif body.get("text", "").strip():
            self._context(context_id).speech.say(body["text"])
        elif body.get("text") == " " and context_id not in self.open:
            self._context(context_id)
        if body.get("flush") and context_id in self.open:
            self.open[context_id].flushed = True

    def _context(self, context_id: str) -> _Context:
        if context_id not in self.open:
            speech = Speech(self.desk, self.course, sample_rate_hz=self.rate_hz)
            telling = self.tasks.start(self._tell(context_id, speech))
            self.open[context_id] = _Context(speech, telling)
        return self.open[context_id]

    async def _close(self, context_id: str) -> None:
        """Finish what was flushed; what was not, or was closed once already, ends at once."""
        context = self.open.get(context_id)
        if context is None:
            return
        if context.flushed and not context.ended:
            context.ended = True
            context.speech.end()
            return
        context.telling.cancel()
        self.desk.abandoned[_SERVICE] += 1
        await self._final(context_id)

    async def _tell(self, context_id: str, speech: Speech) -> None:
        async for event in speech.events():
            if isinstance(event, Chunk):
                await self._chunk(context_id, event)
            elif event == "malformed":
                await self.socket.send_str(RUBBISH)
        await self._final(context_id)

    async def _chunk(self, context_id: str, chunk: Chunk) -> None:
        """The times of the letters begin anew in each message."""
        each_ms = chunk.secs * 1000 / max(1, len(chunk.letters))
        alignment = {
            "chars": list(chunk.letters),
            "charStartTimesMs": [round(i * each_ms) for i in range(len(chunk.letters))],
            "charDurationsMs": [round(each_ms)] * len(chunk.letters),
        }
        message = {
            "audio": base64.b64encode(chunk.audio).decode(),
            "alignment": alignment if chunk.letters else None,
            "normalizedAlignment": alignment if chunk.letters else None,
            "contextId": context_id,
        }
        await self.socket.send_json(message)

    async def _final(self, context_id: str) -> None:
        self.open.pop(context_id, None)
        await self.socket.send_json({"isFinal": True, "contextId": context_id})
