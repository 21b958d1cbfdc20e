"""The Pipecat service of Deepgram's nova, made to notice a dead line and to say what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from deepgram.core import ApiError
from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.services.deepgram.stt import DeepgramSTTService
from websockets.exceptions import ConnectionClosed

from providers.stt._line_watch import LineWatch

_CONNECT_SECS = 4.0
_CLOSE_SECS = 1.0


class DeepgramService(DeepgramSTTService):
    """By itself Pipecat's waits without end for a first connection and for words.

    A handshake gets 4 s before the call goes on without it (connecting is tried on behind its
    back), an open line that says nothing `dead_line_secs` of audio, a farewell one second.
    """

    def __init__(self, *, dead_line_secs: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._watch = LineWatch(dead_line_secs)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Send audio; cut a line on which nothing has come back for long."""
        async for frame in super().run_stt(audio):  # pyright: ignore[reportUnknownVariableType]
            yield frame
        connection: Any = self._connection
        if connection and self._watch.sent(len(audio) / 2 / self.sample_rate):
            await self.push_error(f"nothing heard for {self._watch.limit_secs:g} s of audio")
            _cut(connection)

    async def push_error_frame(
        self, error: ErrorFrame, force_treat_as_permanent: bool = False
    ) -> None:
        """Report an error in words that a person can use."""
        # Whoever waits for a first connection has waited long enough; trying goes on.
        self._connection_settled.set()
        error.error = f"Deepgram: {_plain(error)}"
        await super().push_error_frame(error, force_treat_as_permanent)

    async def _connect(self) -> None:
        self._watch.heard()
        try:
            async with asyncio.timeout(_CONNECT_SECS):
                await super()._connect()
        except TimeoutError:
            await self.push_error(f"no connection within {_CONNECT_SECS:g} s")

    async def _disconnect(self) -> None:
        loop = asyncio.get_running_loop()
        connection: Any = self._connection
        cutting = loop.call_later(_CLOSE_SECS, _cut, connection) if connection else None
        try:
            await super()._disconnect()
        except ConnectionClosed:
            # The line had gone before the farewell; what else there is to end, a second call ends.
            await super()._disconnect()
        finally:
            if cutting:
                cutting.cancel()

    async def _on_error(self, error: Any) -> None:
        rubbish = isinstance(error, ValueError)
        await super()._on_error("it sent what is no JSON" if rubbish else f"line broken ({error})")

    async def _on_message(self, message: Any) -> None:
        self._watch.heard()
        await super()._on_message(message)


def _cut(connection: Any) -> None:
    """Drop the line without a farewell, for which a dead peer would be waited for."""
    connection._websocket.transport.abort()


def _plain(error: ErrorFrame) -> str:
    if isinstance(error.exception, ApiError):
        return f"the connection was refused (HTTP {error.exception.status_code})"
    if isinstance(error.exception, TimeoutError):
        return "the connection was not answered"
    return error.error.strip(": ")
