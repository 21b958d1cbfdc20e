"""The Pipecat service of Deepgram Flux, made to notice a dead line and to say what is wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, cast

from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService

from providers.addresses import of_this_machine
from providers.stt._line_watch import LineWatch

_CONNECT_SECS = 4.0
_PING_SECS = 5.0
_BACKOFF_SECS = (0.5, 2.0)


class DeepgramFluxService(DeepgramFluxSTTService):
    """By itself Pipecat's gives a handshake 10 s, and mentions no rubbish, no silence, no break."""

    _CONNECTION_TIMEOUT = _CONNECT_SECS

    def __init__(self, *, dead_line_secs: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._watch = LineWatch(dead_line_secs)
        self._reconnect_backoff_min_wait, self._reconnect_backoff_max_wait = _BACKOFF_SECS

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Send audio; cut a line on which nothing has come back for long."""
        async for frame in super().run_stt(audio):
            yield frame
        if self._transport_is_active() and self._watch.sent(len(audio) / 2 / self.sample_rate):
            await self.push_error(f"nothing heard for {self._watch.limit_secs:g} s of audio")
            cast(Any, self._websocket).transport.abort()

    async def push_error_frame(
        self, error: ErrorFrame, force_treat_as_permanent: bool = False
    ) -> None:
        """Report an error, and whose it is."""
        told = error.error.replace(f"{self} ", "").removeprefix("Unknown error occurred: ")
        error.error = f"Deepgram Flux: {told}"
        await super().push_error_frame(error, force_treat_as_permanent)

    async def _websocket_connect(self, uri: str, **options: Any) -> Any:
        self._watch.heard()
        # A proxy that the environment names is for the world, not for this machine.
        proxy = None if of_this_machine(uri) else True
        return await super()._websocket_connect(
            uri,
            open_timeout=_CONNECT_SECS,
            ping_interval=_PING_SECS,
            ping_timeout=_PING_SECS,
            proxy=proxy,
            **options,
        )

    async def _maybe_try_reconnect(
        self, error_message: str, report_error: Any, error: Exception | None = None
    ) -> bool:
        if self._websocket and not self._disconnecting:
            await self.push_error(f"line broken ({error or 'closed by the vendor'})")
        return await super()._maybe_try_reconnect(error_message, report_error, error)

    async def _process_message(self, message: str | bytes) -> None:
        self._watch.heard()
        if not _is_json(message):
            await self.push_error("it sent what is no JSON")
            return
        await super()._process_message(message)


def _is_json(message: str | bytes) -> bool:
    try:
        json.loads(message)
    except ValueError:
        return False
    return True
