"""OpenTTS: a WAV for each request, at a rate that no call has."""

from __future__ import annotations

import struct

from aiohttp import web

from evals.simulators._hum import Chunk
from evals.simulators._speech import RUBBISH, Speech, heard_to_the_end
from evals.simulators.vendors import Desk

RATE_HZ = 22_050


def routes(desk: Desk) -> list[web.RouteDef]:
    """The two that matter."""

    async def voices(request: web.Request) -> web.StreamResponse:
        await desk.open(request, "opentts")
        return web.json_response({"hum:en": {"id": "en", "language": "en", "tts_name": "hum"}})

    async def say(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "opentts")
        for name in ("voice", "text"):
            if not request.query.get(name, "").strip():
                return web.Response(status=500, text=f"AssertionError: No {name} provided")
        speech = Speech(desk, course, sample_rate_hz=RATE_HZ)
        speech.say(request.query["text"])
        speech.end()
        # The server answers when all is said, so the size is known; ours does not know it yet.
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        await response.prepare(request)
        header = wav_header(RATE_HZ)
        with heard_to_the_end(desk, "opentts"):
            async for event in speech.events():
                if event == "malformed":
                    await response.write(RUBBISH.encode())
                elif isinstance(event, Chunk):
                    await response.write(header + event.audio)
                    header = b""
            await response.write(header)
        return response

    return [web.get("/opentts/api/voices", voices), web.get("/opentts/api/tts", say)]


def wav_header(rate_hz: int) -> bytes:
    """Of int16 mono samples without an end."""
    endless = 0xFFFFFFFF
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", endless, b"WAVE") + layout + b"data\xff\xff\xff\xff"
