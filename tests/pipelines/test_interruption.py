"""An interruption leaves nothing to play, on real transports as far as one machine has them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InterruptionFrame,
    TTSAudioRawFrame,
)
from starlette.websockets import WebSocketState

from pipelines.pausing import hold
from pipelines.transports import WebRtcPeer, socket_transport, twilio_transport
from pipelines.websocket import LEAD_SECS
from tests.support.pipes import WAIT_SECS, Tap, flowing
from tests.support.protobuf import unpacked

pytestmark = pytest.mark.integration

RATE_HZ = 24_000
LOUD = 1000


def tone(secs: float) -> TTSAudioRawFrame:
    times = np.arange(round(secs * RATE_HZ)) / RATE_HZ
    samples = (8000 * np.sin(2 * np.pi * 440 * times)).astype("<i2")
    return TTSAudioRawFrame(samples.tobytes(), RATE_HZ, 1)


class Socket:
    """A WebSocket that notes what is sent, and when."""

    client_state = application_state = WebSocketState.CONNECTED

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.sent: list[tuple[float, str, Any]] = []

    async def send_bytes(self, data: bytes) -> None:
        kind, fields = unpacked(data)
        self.sent.append((asyncio.get_running_loop().time(), kind, fields))

    async def send_text(self, data: str) -> None:
        message = json.loads(data)
        self.sent.append((asyncio.get_running_loop().time(), message["event"], message))

    async def receive(self) -> dict[str, str]:
        return {"type": "websocket.disconnect"}

    async def close(self, *_: object) -> None:
        pass

    def secs(self) -> float:
        """Of audio sent."""
        return sum(len(part.audio) for _, kind, part in self.sent if kind == "audio") / 2 / RATE_HZ


@pytest.mark.parametrize("order", ["interruption", "clear"])
async def test_on_a_websocket_the_interruption_is_the_last_that_is_sent(order: str) -> None:
    socket, tap = Socket(), Tap()
    phone = order == "clear"
    transport = twilio_transport(socket, "MZ1") if phone else socket_transport(socket)
    async with flowing(transport.output(), tap, audio_out_sample_rate=RATE_HZ) as go:
        await go.send(tone(3))
        await tap.wait(TTSAudioRawFrame, 20)
        await go.send(InterruptionFrame())
        await tap.wait(BotStoppedSpeakingFrame)
        await asyncio.sleep(LEAD_SECS + 0.3)
        kinds = [kind for _, kind, _ in socket.sent]
        assert kinds.count(order) == 1
        # One chunk may be on its way while the interruption is.
        assert len(kinds) - kinds.index(order) <= 2


async def test_a_held_websocket_has_little_more_to_play() -> None:
    socket, tap = Socket(), Tap()
    output = socket_transport(socket).output()
    gate = hold(output)
    async with flowing(output, tap, audio_out_sample_rate=RATE_HZ) as go:
        await go.send(tone(3))
        await tap.wait(TTSAudioRawFrame, 20)
        gate.pause()
        await asyncio.sleep(0.05)
        held_secs, began = socket.secs(), socket.sent[0][0]
        assert held_secs - (asyncio.get_running_loop().time() - began) <= LEAD_SECS + 0.02
        await asyncio.sleep(0.3)
        assert socket.secs() == held_secs
        gate.resume()
        await tap.wait(TTSAudioRawFrame, 40)


class Browser:
    """A peer that listens."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection()
        self.levels: list[int] = []
        self._listening: asyncio.Task[None] | None = None

    async def call(self, peer: WebRtcPeer) -> None:
        self.connection.addTransceiver("audio", direction="sendrecv")
        self.connection.on("track", self._hear)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await peer.answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(
            RTCSessionDescription(answer["sdp"], answer["type"])
        )

    def _hear(self, track: Any) -> None:
        self._listening = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track: Any) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.levels.append(int(np.abs(frame.to_ndarray().astype(np.int32)).max()))

    def loud(self) -> int:
        """How many packets of 20 ms were heard."""
        return sum(level > LOUD for level in self.levels)

    async def close(self) -> None:
        await self.connection.close()
        if self._listening:
            self._listening.cancel()


async def test_over_webrtc_the_bot_falls_silent_within_its_jitter_buffer() -> None:
    peer, browser, tap = WebRtcPeer(), Browser(), Tap()
    transport = peer.transport()
    line = (transport.input(), transport.output(), tap)
    async with flowing(*line, audio_in_sample_rate=16_000, audio_out_sample_rate=RATE_HZ) as go:
        await browser.call(peer)
        async with asyncio.timeout(WAIT_SECS):
            await peer.connection.connect()
            while not browser.levels:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)
        await go.send(tone(5))
        await tap.wait(BotStartedSpeakingFrame)
        async with asyncio.timeout(WAIT_SECS):
            while browser.loud() < 20:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        await go.send(InterruptionFrame())
        await tap.wait(BotStoppedSpeakingFrame)
        before = browser.loud()
        await asyncio.sleep(1.0)
        after = browser.loud()
        assert after - before <= 15
        await asyncio.sleep(0.5)
        assert browser.loud() == after
        await browser.close()
        await peer.close()
