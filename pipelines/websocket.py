"""A call over a WebSocket: what the caller may send, and how far ahead we send."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.message import DecodeError
from loguru import logger
from pipecat.frames.frames import Frame, InputAudioRawFrame, InputTransportMessageFrame
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketOutputTransport,
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)

from errors import BadRequestError

LEAD_SECS = 0.12
"""How much more than it has played the caller's end may hold: what a network jitters.

So much is still heard when the bot is held; an interruption has the caller's end drop it.
"""
AHEAD_SECS = 2.0
"""How far ahead of the clock a caller may send: what a network holds back and then lets go."""
_MESSAGE_SECS = 0.02
"""What a message counts for: fifty a second, as many as chunks of audio."""


class Ahead:
    """How far what was taken of a stream is ahead of the clock; time missed is not made up for."""

    def __init__(self) -> None:
        self._full_secs = 0.0
        """When the clock will have caught up."""

    def take(self, secs: float, *, now_secs: float) -> bool:
        """Take that much of the stream, unless it is too far ahead already."""
        caught_up_secs = max(self._full_secs, now_secs)
        if caught_up_secs - now_secs >= AHEAD_SECS:
            return False
        self._full_secs = caught_up_secs + secs
        return True


class CallerFrames(ProtobufFrameSerializer):
    """Pipecat's protobuf, less what a caller has no business to send.

    Text would be spoken as the bot's, and a transcript would go to the model as heard. What comes
    faster than real time is dropped, for nothing behind this has a bound.

    Args:
        rate_hz: Of the caller's audio.
    """

    def __init__(self, rate_hz: int) -> None:
        super().__init__()
        self._rate_hz = rate_hz
        self._audio, self._messages = Ahead(), Ahead()
        self._warned = False

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """The caller's audio or message; None for anything else.

        Raises:
            BadRequestError: The audio has another form than the pipeline's; no word of it
                would be understood.
        """
        if not isinstance(data, bytes):
            return None
        try:
            frame = await super().deserialize(data)
        except DecodeError:
            return None
        if isinstance(frame, InputTransportMessageFrame):
            fits = isinstance(frame.message, dict) and self._fits(self._messages, _MESSAGE_SECS)
            return frame if fits else None
        if not isinstance(frame, InputAudioRawFrame) or len(frame.audio) % 2:
            return None
        if (frame.sample_rate, frame.num_channels) != (self._rate_hz, 1):
            raise BadRequestError(
                f"The audio has {frame.num_channels} channels of {frame.sample_rate} Hz; "
                f"send one of {self._rate_hz} Hz.",
                code="bad_audio",
            )
        secs = len(frame.audio) / 2 / self._rate_hz
        return frame if self._fits(self._audio, secs) else None

    def _fits(self, stream: Ahead, secs: float) -> bool:
        fits = stream.take(secs, now_secs=asyncio.get_running_loop().time())
        if not fits and not self._warned:
            self._warned = True
            logger.warning("The caller sends faster than real time; what is too early is dropped.")
        return fits


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
        rate_hz: Of the caller's audio.
    """

    def __init__(self, socket: Any, params: dict[str, Any], *, rate_hz: int) -> None:
        # Where it comes from was checked before it was accepted.
        given = FastAPIWebsocketParams(
            **params, serializer=CallerFrames(rate_hz), allowed_origins=[]
        )
        super().__init__(socket, given)
        self._output = _PacedOutput(self, self._client, self._params, name=self._output_name)
