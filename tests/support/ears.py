"""A recogniser in a running pipeline, fed with human speech faster than it was spoken."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.services.stt_service import STTService

from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Ears, Fault, Latency
from tests.support.pipes import WAIT_SECS, Flow, Tap, flowing

RATE_HZ = 16_000
CHUNK_BYTES = 640
LINES = ("when are you open on monday", "how much is a check-up")


class Nowhere:
    """A site without weights and sidecars."""

    def weights(self, name: str) -> Path:
        raise AssertionError(f"{name} is not needed")

    def url(self, sidecar: str) -> str:
        raise AssertionError(f"{sidecar} was never started")


@dataclass
class Listening:
    """A pipeline of the recogniser alone."""

    flow: Flow
    errors: list[ErrorFrame] = field(default_factory=list[ErrorFrame])
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tap(self) -> Tap:
        """All that came out of it."""
        return self.flow.tap

    async def hear(self, audio: bytes, *, pace_secs: float = 0.001) -> None:
        """Play audio, 20 ms at a time."""
        for start in range(0, len(audio), CHUNK_BYTES):
            chunk = audio[start : start + CHUNK_BYTES]
            await self.flow.send(InputAudioRawFrame(chunk, RATE_HZ, 1))
            await asyncio.sleep(pace_secs)

    async def say(self, audio: bytes, *, pace_secs: float = 0.001) -> None:
        """Play a sentence as a VAD would frame it, and the quiet after which it stops."""
        await self.hear(audio[: RATE_HZ // 2], pace_secs=pace_secs)
        await self.flow.send(VADUserStartedSpeakingFrame())
        await self.hear(audio[RATE_HZ // 2 :], pace_secs=pace_secs)
        await self.hear(quiet(240), pace_secs=pace_secs)
        await self.flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    async def error(self, count: int = 1) -> str:
        """What the first `count` errors say."""
        async with asyncio.timeout(WAIT_SECS):
            while len(self.errors) < count:
                self._more.clear()
                await self._more.wait()
        return "\n".join(error.error for error in self.errors)

    def note(self, error: ErrorFrame) -> None:
        """The recogniser reports an error."""
        self.errors.append(error)
        self._more.set()


@asynccontextmanager
async def listening(service: STTService) -> AsyncGenerator[Listening]:
    """Run `service`; leaving ends the pipeline, which must not hang."""
    early: list[ErrorFrame] = []
    ears: list[Listening] = []

    async def note(_: STTService, frame: ErrorFrame) -> None:
        (ears[0].note if ears else early.append)(frame)

    service.add_event_handler("on_error", note)
    async with flowing(service, audio_in_sample_rate=RATE_HZ) as flow:
        ears.append(Listening(flow, early))
        yield ears[0]


def sentence(index: int) -> tuple[bytes, str]:
    """Human speech, 3 to 7 s, with half a second of quiet on either side; and its words."""
    clip = librivox()[index]
    with wave.open(str(clip.path)) as source:
        return source.readframes(source.getnframes()), clip.text


def quiet(length_ms: int) -> bytes:
    """The hiss of a still room."""
    noise = np.random.default_rng(0).normal(0, 10, length_ms * RATE_HZ // 1000)
    return noise.astype("<i2").tobytes()


def behaving(
    service: str = "", *, final_ms: int = 600, words_per_sec: float = 6, **fault: object
) -> Behaviour:
    """Ears that hear `LINES`, and one fault of `service`, on every request."""
    ears = Ears(lines=LINES, final=Latency(p50_ms=final_ms), words_per_sec=words_per_sec)
    faults = {service: (Fault.model_validate({"times": None} | fault),)} if fault else {}
    return Behaviour(ears=ears, faults=faults)


def said(frames: list[Frame]) -> list[str]:
    """The texts of transcripts."""
    return [str(getattr(frame, "text", "")) for frame in frames]
