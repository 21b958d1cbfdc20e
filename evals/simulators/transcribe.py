"""Transcription of an uploaded file, as Groq and OpenAI offer it."""

from __future__ import annotations

import asyncio
import io
import itertools
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from evals.simulators import behaviour
from evals.simulators._ears import Began, Ears, Patience
from evals.simulators.vendors import Course, Desk

_PATH = "/openai/v1/audio/transcriptions"
_COMPRESSED = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\x1a\x45\xdf\xa3")
RUBBISH = '{"text": "he'
"""What a `malformed` fault sends in place of the answer."""


def routes(desk: Desk) -> list[web.RouteDef]:
    """The two vendors."""
    groq, openai = _Vendor(desk, "groq-transcribe"), _Vendor(desk, "openai-transcribe")
    return [
        web.post(f"/groq{_PATH}", groq.transcribe),
        web.post(_PATH, openai.transcribe),
    ]


@dataclass
class _Vendor:
    """Each file in which somebody speaks is heard as the script's next line."""

    desk: Desk
    service: str
    _heard_as: behaviour.Ears | None = None
    _script: Iterator[str | behaviour.Line] = field(default_factory=lambda: iter(()))

    async def transcribe(self, request: web.Request) -> web.StreamResponse:
        course = await self.desk.open(request, self.service)
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return _problem(401, "Invalid API Key", code="invalid_api_key")
        form, file = await _form(request)
        if wrong := _wrong_with(form, file):
            return _problem(400, wrong)
        settings = self.desk.behaviour.ears
        said, secs = _speech(settings, file)
        text = self._line(settings) if said and not course.silent else ""
        await asyncio.sleep(settings.final.draw_secs(self.desk.random))
        return await _answer(course, form, text=text, secs=secs)

    def _line(self, settings: behaviour.Ears) -> str:
        if self._heard_as is not settings:
            self._heard_as, self._script = settings, itertools.cycle(settings.lines)
        line = next(self._script)
        return line if isinstance(line, str) else line.text


async def _form(request: web.Request) -> tuple[dict[str, str], bytes]:
    """The fields of a multipart request, and the file."""
    fields, file = dict[str, str](), b""
    if request.content_type != "multipart/form-data":
        return fields, file
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            file = value.file.read()
        elif isinstance(value, str):
            fields[name] = value
    return fields, file


def _wrong_with(form: dict[str, str], file: bytes) -> str:
    """What the vendors would refuse; empty if nothing."""
    if not form.get("model"):
        return "model is required"
    if form.get("response_format", "json") not in ("json", "text", "verbose_json"):
        return "response_format must be json, text or verbose_json"
    try:
        warmth = float(form.get("temperature", 0))
    except ValueError:
        warmth = -1.0
    if not 0 <= warmth <= 1:
        return "temperature must be a number from 0 to 1"
    known = file.startswith(_COMPRESSED) or (file[:4] == b"RIFF" and file[8:12] == b"WAVE")
    return "" if known else "file must be flac, mp3, ogg, wav or webm"


def _speech(settings: behaviour.Ears, file: bytes) -> tuple[bool, float]:
    """Whether somebody speaks in a file, and its length; a compressed one is not looked into."""
    if not file.startswith(b"RIFF"):
        return True, 1.0
    with wave.open(io.BytesIO(file)) as source:
        rate_hz, frames = source.getframerate(), source.getnframes()
        audio = source.readframes(frames)
    ears = Ears(
        settings,
        itertools.repeat("speech"),
        Desk().random,
        sample_rate_hz=rate_hz,
        patience=Patience(end_ms=lambda final_ms: final_ms),
    )
    return any(isinstance(event, Began) for event in ears.audio(audio)), frames / rate_hz


async def _answer(
    course: Course, form: dict[str, str], *, text: str, secs: float
) -> web.StreamResponse:
    if await course.next() == "malformed":
        return web.Response(text=RUBBISH, content_type="application/json")
    wanted = form.get("response_format", "json")
    if wanted == "text":
        return web.Response(text=f"{text}\n")
    body: dict[str, Any] = {"text": text}
    if wanted == "verbose_json":
        segment: dict[str, Any] = {
            "id": 0,
            "start": 0.0,
            "end": secs,
            "text": text,
            "tokens": [],
            "seek": 0,
        }
        scores = {"temperature": 0.0, "avg_logprob": -0.1, "no_speech_prob": 0.01}
        segments = [segment | scores | {"compression_ratio": 1.2}] if text else []
        language = form.get("language", "english")
        body |= {"task": "transcribe", "language": language, "duration": secs, "segments": segments}
    return web.json_response(body)


def _problem(status: int, message: str, *, code: str | None = None) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)
