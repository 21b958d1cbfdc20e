"""What the voices behind a WebSocket share: a dead line costs a reply, not the call."""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.services.tts_service import WebsocketTTSService
from pipecat.services.websocket_service import ReportErrorCallback

_OPEN_SECS = 4.0
_PING_SECS = 5.0
_QUIET_SECS = 3.0
_SLOW_SECS = 1.0
_REST_SECS = 0.4
_MAX_FAILURES = 2
"""In a row, before it rests; a slow one counts double."""
_BACKOFF_SECS = (1.0, 8.0)
_TRIES = 10
_MAX_SILENT_REPLIES = 10


class PromptSocket(WebsocketTTSService):
    """Comes before one of Pipecat's services among the bases of a class.

    By itself Pipecat gives a handshake 10 s, several times a reply; notices after 40 s that a line
    has died in silence; gives the voice up for good after three failures; opens two sockets, and
    listens to the wrong one, when a sentence comes while it reconnects; and tells neither that a
    reply was cut nor, where its sound never ends, that it has stopped.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            reconnect_backoff_min_wait=_BACKOFF_SECS[0],
            reconnect_backoff_max_wait=_BACKOFF_SECS[1],
            stop_frame_timeout_s=_QUIET_SECS,
            max_consecutive_zero_audio_contexts=_MAX_SILENT_REPLIES,
            **arguments,
        )
        self._push_stop_frames = True
        self._connecting = asyncio.Lock()
        self._failures = 0
        self._tried_at_secs = 0.0

    async def on_turn_context_completed(self) -> None:
        """End a reply that was never sent at once, as nothing will come."""
        context_id = self._turn_context_id
        await super().on_turn_context_completed()
        if context_id and self._websocket is None and self.audio_context_available(context_id):
            await self.remove_audio_context(context_id)

    async def _next_audio_context_item(self, context_id: str) -> Any:
        clock = asyncio.get_running_loop().time
        since = clock()
        item = await super()._next_audio_context_item(context_id)
        was_quiet = item is None and clock() - since >= _QUIET_SECS
        # While the model still writes, it may be the model that is slow.
        if was_quiet and context_id != self._turn_context_id and self._websocket:
            await self.push_error("The voice fell silent in the middle of a reply")
            self._websocket.transport.abort()
        return item

    async def _connect_websocket(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._connecting:
            if self._failures >= _MAX_FAILURES and clock() - self._tried_at_secs < _REST_SECS:
                return
            began = clock()
            await super()._connect_websocket()  # pyright: ignore[reportAbstractUsage]
            self._tried_at_secs = clock()
            slow = self._tried_at_secs - began > _SLOW_SECS
            self._failures = 0 if self._websocket else self._failures + 1 + slow

    async def _websocket_connect(self, uri: str, **options: Any) -> Any:
        return await super()._websocket_connect(
            uri,
            open_timeout=_OPEN_SECS,
            ping_interval=_PING_SECS,
            ping_timeout=_PING_SECS,
            **options,
        )

    async def _try_reconnect(
        self, max_retries: int = _TRIES, report_error: ReportErrorCallback | None = None
    ) -> bool:
        return await super()._try_reconnect(max(max_retries, _TRIES), report_error)

    async def _reconnect_websocket(self, attempt_number: int) -> bool:
        if self._is_keepalive_ready():
            # The line is sound: a message was not, or a reply that could not wait has connected.
            return True
        if self.get_audio_contexts():
            await self.push_error("The voice's connection was lost in the middle of a reply")
        return await super()._reconnect_websocket(attempt_number)
