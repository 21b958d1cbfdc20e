"""Cartesia's text to speech: contexts on one WebSocket, the times of words."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from evals.simulators._hum import Chunk
from evals.simulators._speech import RUBBISH, Speech, Tasks, beside, note, opened
from evals.simulators.vendors import Course, Desk


def routes(desk: Desk) -> list[web.RouteDef]:
    """The socket."""

    async def websocket(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "cartesia")
        headers, query = request.headers, request.query
        if not (headers.get("X-API-Key") or query.get("api_key")):
            return _problem(401, "Unauthorized", "An API key is required.")
        if not (headers.get("Cartesia-Version") or query.get("cartesia_version")):
            return _problem(400, "Missing version", "Cartesia-Version is required.")
        socket = await opened(request)
        async with beside() as tasks:
            contexts = _Contexts(desk, course, socket, tasks)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    note(desk, "cartesia", message.data)
                    await contexts.take(message.data)
        return socket

    return [web.get("/cartesia/tts/websocket", websocket)]


def _problem(status: int, title: str, message: str) -> web.Response:
    body = {"title": title, "message": message, "error_code": "simulated", "request_id": _id()}
    return web.json_response(body, status=status)


@dataclass
class _Contexts:
    """What is being said on one socket."""

    desk: Desk
    course: Course
    socket: web.WebSocketResponse
    tasks: Tasks
    open: dict[str, tuple[Speech, asyncio.Task[None]]] = field(
        default_factory=dict[str, tuple[Speech, "asyncio.Task[None]"]]
    )

    async def take(self, text: str) -> None:
        """Do what a message asks for."""
        try:
            body: dict[str, Any] = json.loads(text)
            context_id = str(body["context_id"])
        except (ValueError, KeyError, TypeError):
            await self._error("", "Invalid request", "A message must be JSON with a context_id.")
            return
        if body.get("cancel"):
            self._cancel(context_id)
        elif wrong := _wrong_with(body):
            await self._error(context_id, "Invalid request", wrong)
        else:
            self._say(context_id, body)

    def _say(self, context_id: str, body: dict[str, Any]) -> None:
        if context_id not in self.open:
            rate_hz = int(body["output_format"]["sample_rate"])
            speech = Speech(self.desk, self.course, sample_rate_hz=rate_hz)
            telling = self.tasks.start(self._tell(context_id, speech))
            self.open[context_id] = speech, telling
        speech = self.open[context_id][0]
        if body["transcript"]:
            speech.say(body["transcript"])
        if not body.get("continue"):
            speech.end()

    def _cancel(self, context_id: str) -> None:
        if context_id in self.open:
            self.open.pop(context_id)[1].cancel()
            self.desk.abandoned["cartesia"] += 1

    async def _tell(self, context_id: str, speech: Speech) -> None:
        """Send a context's sound and words, then that it is done."""
        before_secs = said_secs = 0.0
        flush_id = 0
        async for event in speech.events():
            if isinstance(event, Chunk):
                await self._chunk(context_id, event, before_secs)
                said_secs = before_secs + event.start_secs + event.secs
            elif event == "malformed":
                await self.socket.send_str(RUBBISH)
            else:
                before_secs, flush_id = said_secs, flush_id + 1
                await self._send(context_id, "flush_done", flush_done=True, flush_id=flush_id)
        await self._send(context_id, "done", done=True)
        self.open.pop(context_id, None)

    async def _chunk(self, context_id: str, chunk: Chunk, before_secs: float) -> None:
        if chunk.words:
            times = {
                "words": [word.text for word in chunk.words],
                "start": [before_secs + word.start_secs for word in chunk.words],
                "end": [before_secs + word.end_secs for word in chunk.words],
            }
            await self._send(context_id, "timestamps", word_timestamps=times)
        data = base64.b64encode(chunk.audio).decode()
        await self._send(context_id, "chunk", data=data, step_time=1.0)

    async def _send(self, context_id: str, kind: str, *, done: bool = False, **more: Any) -> None:
        message = {"type": kind, "context_id": context_id, "status_code": 206, "done": done}
        await self.socket.send_json(message | more)

    async def _error(self, context_id: str, title: str, message: str) -> None:
        more = {"title": title, "message": message, "error_code": "invalid", "request_id": _id()}
        await self._send(context_id, "error", done=True, **(more | {"status_code": 400}))


def _wrong_with(body: dict[str, Any]) -> str:
    """What Cartesia would refuse; empty if nothing."""
    sound: dict[str, Any] = body.get("output_format") or {}
    if not body.get("model_id") or not isinstance(body.get("transcript"), str):
        return "model_id and transcript are required."
    if (body.get("voice") or {}).get("mode") != "id" or not body["voice"].get("id"):
        return "voice must be given by its id."
    if (sound.get("container"), sound.get("encoding")) != ("raw", "pcm_s16le"):
        return "output_format must be raw pcm_s16le here."
    if not isinstance(sound.get("sample_rate"), int):
        return "output_format.sample_rate must be a number."
    return ""


def _id() -> str:
    return str(uuid4())
