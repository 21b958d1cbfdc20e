"""Deepgram Flux, `/v2/listen`: speech to text that says itself when a turn is over."""

from __future__ import annotations

import itertools
import json
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
    LikelyEnd,
    Patience,
    Resumed,
    Words,
)
from evals.simulators.vendors import Course, Desk

_UPDATE_MS = 250
_EOT_THRESHOLD = 0.7
_EOT_TIMEOUT_MS = 5000


def routes(desk: Desk) -> list[web.RouteDef]:
    """The socket."""

    async def listen(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "deepgram-flux")
        if refused := refusal(request, _wrong_with(request.query)):
            return refused
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        stream = _Stream(socket, course, _ears(desk, request.query))
        await stream.connected()
        await converse(socket, audio=stream.audio, control=stream.control)
        return socket

    return [web.get("/deepgram/v2/listen", listen)]


def _wrong_with(query: Mapping[str, str]) -> str:
    """What Deepgram would refuse; empty if nothing."""
    if query.get("model") not in ("flux-general-en", "flux-general-multi"):
        return "No such model."
    if "language_hint" in query and query["model"] != "flux-general-multi":
        return "language_hint is for flux-general-multi."
    bounds = {
        "eot_threshold": (0.5, 1.0),
        "eager_eot_threshold": (0.3, 0.9),
        "eot_timeout_ms": (500, 60_000),
    }
    wrong = [not_between(query, name, bound) for name, bound in bounds.items()]
    if not any(wrong) and _number(query, "eager_eot_threshold", 0) > _threshold(query):
        wrong = ["eager_eot_threshold must not be above eot_threshold."]
    return not_audio(query) or "".join(wrong)


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    return float(query.get(name, default))


def _threshold(query: Mapping[str, str]) -> float:
    return _number(query, "eot_threshold", _EOT_THRESHOLD)


def _ears(desk: Desk, query: Mapping[str, str]) -> Ears:
    """Confidence grows with the quiet: it is 0.7, the usual threshold, after `ears.final`."""
    settings = desk.behaviour.ears
    end, eager = _threshold(query), _number(query, "eager_eot_threshold", 0)
    timeout_ms = _number(query, "eot_timeout_ms", _EOT_TIMEOUT_MS)

    def quiet_ms(threshold: float, final_ms: float) -> float:
        if threshold == 1:  # never certain by itself
            return timeout_ms
        return min(timeout_ms, final_ms * threshold / _EOT_THRESHOLD)

    return Ears(
        settings,
        itertools.cycle(settings.lines),
        desk.random,
        sample_rate_hz=int(query["sample_rate"]),
        patience=Patience(
            end_ms=lambda final_ms: quiet_ms(end, final_ms),
            likely_ms=(lambda final_ms: quiet_ms(eager, final_ms)) if eager else None,
        ),
    )


@dataclass
class _Stream:
    """One socket."""

    socket: web.WebSocketResponse
    course: Course
    ears: Ears
    sequence: int = 0
    turn: int = 0
    turn_at_ms: int = 0
    told_at_ms: int = 0
    speaking: bool = False
    """Whether the turn's start has been told."""

    def __post_init__(self) -> None:
        self.request_id = str(uuid4())
        self.query = self.course.request.query

    async def connected(self) -> None:
        """Say that audio may come."""
        await self._send({"type": "Connected"})

    async def audio(self, chunk: bytes) -> None:
        """Hear a message of audio."""
        events = self.ears.audio(chunk)
        for event in [] if self.course.silent else events:
            await self._tell(event)
        if self.ears.now_ms - self.told_at_ms >= _UPDATE_MS:
            await self._turn_info("Update", ())

    async def control(self, text: str) -> bool:
        """Do what a message says; whether there may be more."""
        try:
            message: dict[str, Any] = json.loads(text)
            kind = message.pop("type")
        except (ValueError, KeyError, TypeError, AttributeError):
            kind, message = "", {}
        if kind == "Configure":
            await self._send({"type": "ConfigureSuccess"} | message)
        elif kind != "CloseStream":
            wrong = {"code": "UNPARSABLE_CLIENT_MESSAGE", "description": "Unknown message."}
            await self._send({"type": "Error"} | wrong)
        return kind == "Configure"

    async def _tell(self, event: Event) -> None:
        match event:
            case Began(at_ms):
                self.turn_at_ms = at_ms
            case Heard(_, words) if words and self.speaking:
                await self._turn_info("Update", words)
            case Heard(_, words) if words:
                await self._start(words)
            case LikelyEnd(_, words):
                await self._start(words)
                eager = _number(self.query, "eager_eot_threshold", 0)
                await self._turn_info("EagerEndOfTurn", words, confidence=eager)
            case Resumed(_, words):
                await self._turn_info("TurnResumed", words)
            case Ended(_, words):
                await self._start(words)
                await self._turn_info("EndOfTurn", words, confidence=_threshold(self.query))
                self.turn, self.speaking = self.turn + 1, False
            case Heard() | Finalized():
                pass

    async def _start(self, words: Words) -> None:
        if not self.speaking:
            self.speaking = True
            await self._turn_info("StartOfTurn", words)

    async def _turn_info(self, event: str, words: Words, *, confidence: float = 0.1) -> None:
        self.told_at_ms = self.ears.now_ms
        message: dict[str, Any] = {
            "type": "TurnInfo",
            "event": event,
            "turn_index": self.turn,
            "audio_window_start": self.turn_at_ms / 1000,
            "audio_window_end": self.ears.now_ms / 1000,
            "transcript": " ".join(word.text for word in words),
            "words": [{"word": word.text, "confidence": 0.98} for word in words],
            "end_of_turn_confidence": confidence,
        }
        if self.query["model"] == "flux-general-multi":
            message["languages"] = [self.query.get("language_hint", "en")]
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        head = {"request_id": self.request_id, "sequence_id": self.sequence}
        self.sequence += 1
        await say(self.socket, self.course, message | head)
