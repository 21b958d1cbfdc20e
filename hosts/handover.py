"""A caller's WebSocket in the process of their call: its connection comes from another process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from errors import OffhookError

MAX_MESSAGE_BYTES = 64 * 1024
"""Of a WebSocket message: two seconds of audio, where clients send a fraction of one."""
PING_SECS = 5.0
"""How often a caller is pinged, and how long they may take to answer; then they are gone."""
MAX_HELD_BYTES = 64 * 1024
"""Of what a caller sends before they are answered, which no honest client does."""
ANSWER_SECS = 2.0
"""How long the answer to the caller may take; whoever handed them over waits no longer."""
_DONE = 1000
_POLICY_VIOLATION = 1008

OnSocket = Callable[[WebSocket], Awaitable[None]]


class HandoverError(OffhookError):
    """The caller's connection did not pass from one process to the other."""

    code = "call_lost"
    status = 503


class Around(asyncio.Protocol):
    """A protocol that stands between a transport and uvicorn's own; it passes everything on.

    Attributes:
        inner: uvicorn's.
    """

    inner: WebSocketsSansIOProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """The caller sent something."""
        self.inner.data_received(data)

    def eof_received(self) -> None:
        """The caller sends no more; the transport closes."""
        self.inner.eof_received()

    def pause_writing(self) -> None:
        """The caller takes less than is sent."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.inner.connection_lost(exc)


async def take(connection: socket.socket, opening: bytes, on_socket: OnSocket) -> None:
    """Answer a caller whose request another process has read, and serve their WebSocket.

    Args:
        connection: A stream; it is closed in every case, sooner or later.
        opening: The head of the request, and whatever was read behind it.
        on_socket: Gets the accepted WebSocket; it is closed when this returns, as refused if it
            raises an OffhookError.

    Raises:
        HandoverError: The caller is gone, or the head asks for no WebSocket.
    """
    serving = _Serving(opening, on_socket)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(lambda: serving, connection)
    except OSError as error:
        connection.close()
        raise HandoverError("The caller's connection is broken; start a new call.") from error
    try:
        async with asyncio.timeout(ANSWER_SECS):
            await serving.answered
    except TimeoutError as error:
        serving.abort()
        raise HandoverError("The caller asks for no WebSocket.") from error
    except asyncio.CancelledError:
        serving.abort()
        raise


class _Serving(Around):
    """One WebSocket, from its request's head on; what comes before the answer waits for it."""

    def __init__(self, opening: bytes, on_socket: OnSocket) -> None:
        head, end, behind = opening.partition(b"\r\n\r\n")
        self._head = head + end
        self._held = bytearray(behind)
        self._on_socket = on_socket
        self._transport = cast(asyncio.Transport, None)
        self._gone = asyncio.Event()
        self.answered = asyncio.get_running_loop().create_future()
        config = uvicorn.Config(
            self._serve,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            ws=WebSocketsSansIOProtocol,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=PING_SECS,
            ws_ping_timeout=PING_SECS,
            # Sound does not shrink.
            ws_per_message_deflate=False,
        )
        self.inner = WebSocketsSansIOProtocol(config, ServerState(), {})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Play the head before the connection is read."""
        self._transport = cast(asyncio.Transport, transport)
        super().connection_made(transport)
        super().data_received(self._head)

    def data_received(self, data: bytes) -> None:
        """Keep it until the caller is answered."""
        if self.answered.done():
            super().data_received(data)
            return
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        super().connection_lost(exc)
        self._gone.set()
        if not self.answered.done():
            self.answered.set_exception(HandoverError("The caller is gone; nobody was answered."))

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = WebSocket(scope, receive, send)
        await caller.accept()
        if self._transport.is_closing():
            # Until uvicorn knows that they are gone, it complains that they were not answered.
            await self._gone.wait()
        if self.answered.done():
            return
        self.answered.set_result(None)
        self._transport.resume_reading()
        if self._held:
            super().data_received(bytes(self._held))
            self._held.clear()
        code, why = _DONE, ""
        try:
            await self._on_socket(caller)
        except OffhookError as error:
            code, why = _POLICY_VIOLATION, error.code
        if caller.application_state is WebSocketState.CONNECTED:
            # They may have left this very moment.
            with suppress(WebSocketDisconnect, RuntimeError):
                await caller.close(code, why)
