"""Deepgram's streaming speech to text, `/v1/listen` (nova)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import web

from evals.simulators._deepgram import converse, not_audio, not_between, refusal, say
from evals.simulators._ears import (
    Began,
    Ears,
    Ended,
    Event,
    Finalized,
    Heard,
    Patience,
    Word,
    Words,
)
from evals.simulators.vendors import Course, Desk

_UNSOLICITED_MS = 3000
"""Audio without a word after which a result without one is sent."""
_ENDPOINTING_MS = 10
_NO_ENDPOINTING_MS = 10_000
_FLAGS = ("interim_results", "punctuate", "smart_format", "profanity_filter", "numerals")


def routes(desk: Desk) -> list[web.RouteDef]:
    """The socket."""

    async def listen(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "deepgram-listen")
        if refused := refusal(request, _wrong_with(request.query)):
            return refused
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        stream = _Stream(socket, course, _ears(desk, request.query))
        await converse(socket, audio=stream.audio, control=stream.control)
        desk.spent["audio_ms"] += stream.ears.now_ms
        return socket

    return [web.get("/deepgram/v1/listen", listen)]


def _wrong_with(query: Mapping[str, str]) -> str:
    """What Deepgram would refuse; empty if nothing."""
    if not re.match(r"(nova|enhanced|base|whisper)", query.get("model", "")):
        return "No such model/language/tier combination found."
    if "keyterm" in query and not query["model"].startswith("nova-3"):
        return "keyterm is for nova-3 only."
    for name in _FLAGS:
        if query.get(name, "true") not in ("true", "false"):
            return f"{name} must be true or false."
    if query.get("utterance_end_ms") and query.get("interim_results") != "true":
        return "utterance_end_ms needs interim_results."
    if query.get("endpointing") == "false":
        return not_audio(query)
    return (
        not_audio(query)
        or not_between(query, "utterance_end_ms", (1000, 5000))
        or not_between(query, "endpointing", (0, 10_000))
    )


def _ears(desk: Desk, query: Mapping[str, str]) -> Ears:
    given = query.get("endpointing", str(_ENDPOINTING_MS))
    endpointing_ms = _NO_ENDPOINTING_MS if given == "false" else float(given)
    settings = desk.behaviour.ears
    return Ears(
        settings,
        itertools.cycle(settings.lines),
        desk.random,
        sample_rate_hz=int(query["sample_rate"]),
        patience=Patience(end_ms=lambda final_ms: max(final_ms, endpointing_ms)),
    )


@dataclass
class _Stream:
    """One socket."""

    socket: web.WebSocketResponse
    course: Course
    ears: Ears
    told_ms: int = 0
    """Until where in the audio results were given for good."""
    said_at_ms: int = 0
    """When in the audio the last message was sent."""
    utterance: Word | None = None
    """The last word, until it is said that the utterance is over."""

    def __post_init__(self) -> None:
        self.request_id = str(uuid4())
        query = self.course.request.query
        self.finalize = self.ears.settings.finalize
        self.interim = query.get("interim_results") == "true"
        self.vad_events = query.get("vad_events") == "true"
        self.utterance_end_ms = int(query.get("utterance_end_ms") or 0)

    async def audio(self, chunk: bytes) -> None:
        """Hear a message of audio."""
        events = self.ears.audio(chunk)
        for event in [] if self.course.silent else events:
            await self._tell(event)
        await self._tell_utterance_end()
        if self.ears.now_ms - self.said_at_ms >= _UNSOLICITED_MS:
            await self._results((), is_final=True)

    async def control(self, text: str) -> bool:
        """Do what a message says; whether there may be more."""
        try:
            kind = json.loads(text)["type"]
        except (ValueError, KeyError, TypeError):
            kind = ""
        later = kind == "Finalize" and self.finalize == "as_final"
        if later and self.ears.finalize_later():
            return True
        if kind in ("Finalize", "CloseStream"):
            words = () if self.course.silent else self.ears.finalize()
            await self._results(words, is_final=True, from_finalize=kind == "Finalize")
        if kind == "CloseStream":
            await self._send(_metadata(self.request_id, self.ears.now_ms))
        if kind not in ("KeepAlive", "Finalize", "CloseStream"):
            await self.socket.close(code=1008, message=b"DATA-0000")
        return kind in ("KeepAlive", "Finalize")

    async def _tell(self, event: Event) -> None:
        match event:
            case Began(at_ms) if self.vad_events:
                stamp = {"channel": [0, 1], "timestamp": at_ms / 1000}
                await self._send({"type": "SpeechStarted"} | stamp)
            case Heard(_, words) if words and self.interim:
                await self._results(words)
            case Finalized(_, words):
                await self._results(words, is_final=True, from_finalize=True)
            case Ended(_, words):
                await self._results(words, is_final=True, speech_final=True)
            case _:
                pass

    async def _tell_utterance_end(self) -> None:
        word, gap_ms = self.utterance, self.utterance_end_ms
        if gap_ms and word and self.ears.now_ms - word.end_ms >= gap_ms:
            self.utterance = None
            end = {"channel": [0, 1], "last_word_end": word.end_ms / 1000}
            await self._send({"type": "UtteranceEnd"} | end)

    async def _results(
        self,
        words: Words,
        *,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> None:
        self.utterance = words[-1] if words else self.utterance
        span = {
            "start": self.told_ms / 1000,
            "duration": (self.ears.now_ms - self.told_ms) / 1000,
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
        }
        if is_final:
            self.told_ms = self.ears.now_ms
        model = {"name": "simulated", "version": "0", "arch": "simulated"}
        more = {
            "type": "Results",
            "channel_index": [0, 1],
            "channel": {"alternatives": [_alternative(words)]},
            "metadata": {"request_id": self.request_id, "model_info": model, "model_uuid": "0"},
        }
        await self._send(more | span)

    async def _send(self, message: dict[str, Any]) -> None:
        self.said_at_ms = self.ears.now_ms
        await say(self.socket, self.course, message)


def _alternative(words: Words) -> dict[str, Any]:
    spans = [
        {
            "word": word.text,
            "punctuated_word": word.text,
            "start": word.start_ms / 1000,
            "end": word.end_ms / 1000,
            "confidence": 0.98,
        }
        for word in words
    ]
    transcript = " ".join(word.text for word in words)
    return {"transcript": transcript, "confidence": 0.98 if words else 0.0, "words": spans}


def _metadata(request_id: str, now_ms: int) -> dict[str, Any]:
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": request_id,
        "sha256": "0" * 64,
        "created": "2026-01-01T00:00:00.000Z",
        "duration": now_ms / 1000,
        "channels": 1,
    }
