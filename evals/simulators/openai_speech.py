"""OpenAI's `/audio/speech`: samples as they are made."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from evals.simulators._hum import Chunk
from evals.simulators._speech import RUBBISH, Speech, heard_to_the_end
from evals.simulators.opentts import wav_header
from evals.simulators.vendors import Desk

RATE_HZ = 24_000
_MAX_LETTERS = 4096


def routes(desk: Desk) -> list[web.RouteDef]:
    """The one."""

    async def speak(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "openai-speech")
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return _problem(401, "You didn't provide an API key.", "invalid_api_key")
        try:
            body: dict[str, Any] = json.loads(await request.text())
        except ValueError:
            return _problem(400, "The body is not JSON.", "invalid_json")
        if wrong := _wrong_with(body):
            return _problem(400, wrong, "invalid_value")
        speech = Speech(desk, course, sample_rate_hz=RATE_HZ)
        speech.say(body["input"])
        speech.end()
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        if body.get("response_format") == "wav":
            await response.write(wav_header(RATE_HZ))
        with heard_to_the_end(desk, "openai-speech"):
            async for event in speech.events():
                if event == "malformed":
                    await response.write(RUBBISH.encode())
                elif isinstance(event, Chunk):
                    await response.write(event.audio)
        return response

    return [web.post("/openai/v1/audio/speech", speak)]


def _wrong_with(body: dict[str, Any]) -> str:
    """What OpenAI would refuse; empty if nothing."""
    for name in ("model", "input", "voice"):
        if not isinstance(body.get(name), str) or not body[name]:
            return f"Missing required parameter: '{name}'."
    if len(body["input"]) > _MAX_LETTERS:
        return f"The input is longer than {_MAX_LETTERS} characters."
    if body.get("response_format", "mp3") not in ("pcm", "wav"):
        return "Only the formats pcm and wav are simulated."
    return ""


def _problem(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)
