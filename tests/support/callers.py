"""A browser's half of a WebRTC call: says a recording, listens, keeps what it is told."""

from __future__ import annotations

import asyncio
import fractions
import itertools
import json
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av.audio.frame import AudioFrame

from tests.support.speech import RATE_HZ, clip

LOUD = 1000
"""A sample of speech, or of the scripted voice's hum."""
_SAMPLES = RATE_HZ // 50
_SECS = 0.02


class _Mouth(MediaStreamTrack):
    """20 ms every 20 ms: silence, until there is something to say."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.speech: Iterator[bytes] = iter(())
        self._began_secs: float | None = None
        self._sent = 0

    async def recv(self) -> AudioFrame:
        clock = asyncio.get_running_loop().time
        if self._began_secs is None:
            self._began_secs = clock()
        due_secs = self._began_secs + self._sent * _SECS
        await asyncio.sleep(max(0.0, due_secs - clock()))
        samples = np.frombuffer(next(self.speech, bytes(2 * _SAMPLES)), np.int16)
        frame = AudioFrame.from_ndarray(samples[None, :], layout="mono")
        frame.sample_rate = RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        frame.pts = self._sent * _SAMPLES
        self._sent += 1
        return frame


class Caller:
    """Says what it is told to, and listens."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        self._mouth = _Mouth()
        self.peer.addTrack(self._mouth)
        self.events: list[dict[str, Any]] = []
        self.loud_secs: list[float] = []
        """When something was heard, on the loop's clock."""
        self._tasks: list[asyncio.Task[None]] = []
        self._channel = self.peer.createDataChannel("chat")
        self._channel.on("message", self._take)
        self.peer.on("track", self._listen)

    def say(self, name: str = "0880", *, again: bool = False) -> None:
        """Begin to say a human recording, once or without end."""
        speech = clip(name).tobytes()
        whole = range(0, len(speech) - 2 * _SAMPLES, 2 * _SAMPLES)
        pieces = [speech[start : start + 2 * _SAMPLES] for start in whole]
        self._mouth.speech = itertools.cycle(pieces) if again else iter(pieces)

    async def offer(self) -> str:
        """The session description to be answered."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def take(self, answer: dict[str, Any]) -> None:
        """Connect to who answered."""
        await self.peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))

    async def leave(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peer.close()

    def kinds(self) -> set[str]:
        """Of the events that the page was told of."""
        return {event["kind"] for event in self.events}

    def heard_since(self, secs: float) -> float:
        """For how long the bot was heard after that moment, in seconds."""
        return 0.02 * sum(at_secs >= secs for at_secs in self.loud_secs)

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._hear(track)))
        self._tasks.append(asyncio.ensure_future(self._ping()))

    def _take(self, message: str) -> None:
        data: Any = json.loads(message).get("data") or {}
        if "offhook" in data.values():
            self.events.append(data["event"])

    async def _ping(self) -> None:
        # As a browser does; who is silent counts as gone.
        while True:
            if self._channel.readyState == "open":
                self._channel.send("ping")
            await asyncio.sleep(1.0)

    async def _hear(self, track: MediaStreamTrack) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            frame = cast(AudioFrame, await track.recv())
            if int(abs(frame.to_ndarray()).max()) > LOUD:
                self.loud_secs.append(clock())
