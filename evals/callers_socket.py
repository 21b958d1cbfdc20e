"""Callers over a WebSocket, in Pipecat's protobuf."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pipecat.frames.protobufs.frames_pb2  # pyright: ignore[reportMissingTypeStubs]
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from evals.callers import Caller, RefusedError, Speech, cut
from evals.callers_talk import PACKET_SECS, Clip
from evals.latency_turns import RATE_HZ, Saying

_WIRE: Any = pipecat.frames.protobufs.frames_pb2
_BYTES = int(RATE_HZ * PACKET_SECS) * 2


def socket_speech(said: Sequence[Saying]) -> Speech:
    """The turns as messages."""
    clips = [
        Clip(
            tuple(map(_packed, cut(saying.audio, packet_bytes=_BYTES))),
            padding_secs=-len(saying.audio) % _BYTES / 2 / RATE_HZ,
        )
        for saying in said
    ]
    return Speech(tuple(clips), _packed(bytes(_BYTES)))


def _packed(audio: bytes) -> bytes:
    frame: Any = _WIRE.Frame()
    frame.audio.audio = audio
    frame.audio.sample_rate = RATE_HZ
    frame.audio.num_channels = 1
    return frame.SerializeToString()


class SocketCaller(Caller):
    """A client of the WebSocket."""

    mode = "websocket"

    def __init__(self, http: Any, speech: Speech) -> None:
        super().__init__(http, speech)
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Future[None]] = []

    async def connect(self, opened: Mapping[str, Any]) -> None:
        """Open the socket and begin to talk."""
        self.answered()
        url = str(opened["wsUrl"])
        self.session = urlsplit(url).path.split("/")[2]
        try:
            self._socket = await connect(url, proxy=None)
        except (WebSocketException, OSError) as error:
            raise RefusedError(f"the socket: {error}") from error
        self.connected_secs = asyncio.get_running_loop().time()
        self._tasks = [
            asyncio.ensure_future(self._listen(self._socket)),
            asyncio.ensure_future(self._talk(self._socket)),
        ]

    async def hang_up(self) -> None:
        """Close the socket in order."""
        if self._socket:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._socket.close()
        await self._stop()

    async def vanish(self) -> None:
        """Cut the connection."""
        if self._socket:
            self._socket.transport.abort()
        await self._stop()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.over.set()

    async def _listen(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        async for data in socket:
            now_secs = loop.time()
            frame: Any = _WIRE.Frame.FromString(data)
            if frame.WhichOneof("frame") == "audio":
                samples = np.frombuffer(frame.audio.audio, "<i2")
                self.ear.hear(samples, at_secs=now_secs, rate_hz=frame.audio.sample_rate)
        self.over.set()

    async def _talk(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(await self.next_packet())
