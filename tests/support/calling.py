"""A caller over WebRTC, as a browser is one."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamTrack
from av.audio.frame import AudioFrame

from evals.corpus import LIBRIVOX

CLIP = "sense_and_sensibility_01_austen_64kb-0880.wav"


class Caller:
    """A browser's half of a call: says a recording, listens, keeps what it is told."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        player = MediaPlayer(str(LIBRIVOX / CLIP))
        assert player.audio
        self.peer.addTrack(player.audio)
        self.kinds: set[str] = set()
        self.loudest = 0
        self.turn_told = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.peer.createDataChannel("chat").on("message", self._take)
        self.peer.on("track", self._listen)

    async def call(self, http: httpx.Client, session: str) -> None:
        """Send the offer and take the answer."""
        offer = await self.offer()
        answer = await asyncio.to_thread(
            lambda: http.post(f"/sessions/{session}/api/offer", json=offer)
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        await self.peer.setRemoteDescription(RTCSessionDescription(told["sdp"], told["type"]))

    async def offer(self) -> dict[str, str]:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return {"sdp": self.peer.localDescription.sdp, "type": "offer"}

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peer.close()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._hear(track)))

    def _take(self, message: str) -> None:
        data: Any = json.loads(message).get("data") or {}
        if "offhook" in data.values():
            self.kinds.add(data["event"]["kind"])
            if data["event"]["kind"] == "turn":
                self.turn_told.set()

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            frame = cast(AudioFrame, await track.recv())
            self.loudest = max(self.loudest, int(abs(frame.to_ndarray()).max()))
