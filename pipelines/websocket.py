"""A call over a WebSocket: what the caller may send, and how far ahead we send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pipecat.frames.protobufs.frames_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.protobuf.message import DecodeError
from pipecat.frames.frames import Frame, InputAudioRawFrame, InputTransportMessageFrame
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketClient,
    FastAPIWebsocketInputTransport,
    FastAPIWebsocketOutputTransport,
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)

from errors import BadRequestError
from pipelines.pace import Pace

_WIRE: Any = pipecat.frames.protobufs.frames_pb2
LEAD_SECS = 0.12
"""How much more than it has played the caller's end may hold: what a network jitters.

So much is still heard when the bot is held; an interruption has the caller's end drop it.
"""
FINISH_SECS = 1.0
"""How long the caller's end may take to play what it holds, and to say so, before we close."""


class CallerFrames(ProtobufFrameSerializer):
    """Pipecat's protobuf, less what a caller has no business to send.

    Text would be spoken as the bot's, and a transcript would go to the model as heard. What comes
    faster than real time is dropped.

    Args:
        rate_hz: Of the caller's audio.
    """

    def __init__(self, rate_hz: int) -> None:
        super().__init__()
        self._rate_hz = rate_hz
        self._pace = Pace()

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """The caller's audio or message; None for anything else.

        Raises:
            BadRequestError: The audio has another form than the pipeline's; no word of it
                would be understood.
        """
        if not isinstance(data, bytes):
            return None
        try:
            sent = _WIRE.Frame.FromString(data)
        except DecodeError:
            return None
        match sent.WhichOneof("frame"):
            case "audio":
                return self._sound(sent.audio)
            case "message":
                return self._message(sent.message.data)
            case _:
                return None

    def _sound(self, sent: Any) -> InputAudioRawFrame | None:
        audio: bytes = sent.audio
        if len(audio) % 2:
            return None
        if (sent.sample_rate, sent.num_channels) != (self._rate_hz, 1):
            raise BadRequestError(
                f"The audio has {sent.num_channels} channels of {sent.sample_rate} Hz; "
                f"send one of {self._rate_hz} Hz.",
                code="bad_audio",
            )
        if not self._pace.takes_audio(len(audio) / 2 / self._rate_hz):
            return None
        return InputAudioRawFrame(audio, self._rate_hz, 1)

    def _message(self, text: str) -> InputTransportMessageFrame | None:
        try:
            message = json.loads(text)
        except ValueError:
            return None
        fits = isinstance(message, dict) and self._pace.takes_message()
        return InputTransportMessageFrame(message=message) if fits else None


@dataclass(frozen=True)
class Finish:
    """How a caller's end tells that it has played all that it was sent."""

    ask: str
    """The message that asks it to."""
    is_answer: Callable[[str | bytes], bool]


class _Client(FastAPIWebsocketClient):
    """Closes the socket when the caller's end has played everything, if it can tell."""

    def __init__(self, socket: Any, callbacks: Any, finish: Finish | None) -> None:
        super().__init__(socket, callbacks)
        self._finish = finish
        self._leaving = asyncio.Lock()

    async def disconnect(self) -> None:
        """Leave; the last of input and output that does closes the socket."""
        # Each leaves twice, the second time perhaps while the other waits for the answer.
        async with self._leaving:
            finish = self._finish
            # With one left to leave, the input reads no more: the answer is for us to read.
            if finish and self._leave_counter == 1 and self._can_send():
                # An end that cuts the waiting short leaves a second time, and waits anew.
                await self._play_out(finish)
                self._finish = None
            await super().disconnect()

    async def _play_out(self, finish: Finish) -> None:
        await self.send(finish.ask)
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECS):
                async for message in self.receive():
                    if finish.is_answer(message):
                        return


class _PacedOutput(FastAPIWebsocketOutputTransport):
    """Sends as fast as it is played, a little ahead.

    Pipecat's own sends each chunk when the one before has been played, so that whatever delays
    one, here or on the way, is heard as a gap.
    """

    async def _write_audio_sleep(self) -> None:
        now_secs = asyncio.get_running_loop().time()
        # When the caller's end will have played all that it was sent; 0 after an interruption.
        played_secs = max(self._next_send_time, now_secs)
        self._next_send_time = played_secs + self.audio_chunk_size / 2 / self.sample_rate
        await asyncio.sleep(max(0.0, self._next_send_time - LEAD_SECS - now_secs))


class SocketTransport(FastAPIWebsocketTransport):
    """Pipecat's WebSocket transport, paced.

    Args:
        socket: An accepted Starlette WebSocket.
        params: Audio of the pipeline.
        frames: What the two ends say to each other.
        finish: Asked before the socket is closed; without it what is not played by then is lost.
    """

    def __init__(
        self,
        socket: Any,
        params: dict[str, Any],
        *,
        frames: FrameSerializer,
        finish: Finish | None = None,
    ) -> None:
        # Where it comes from was checked before it was accepted.
        given = FastAPIWebsocketParams(**params, serializer=frames, allowed_origins=[])
        super().__init__(socket, given)
        self._client = _Client(socket, self._callbacks, finish)
        self._input = FastAPIWebsocketInputTransport(
            self, self._client, self._params, name=self._input_name
        )
        self._output = _PacedOutput(self, self._client, self._params, name=self._output_name)
