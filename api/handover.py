"""A caller's WebSocket leaves this process before it is answered, for the process of their call."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from starlette.websockets import WebSocket
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from api.errors import answer
from api.relay import Relay
from errors import BadRequestError, OffhookError
from hosts.handover import Around, HandoverError

if TYPE_CHECKING:
    from hosts.channel import Channel

TAKE_SECS = 2.0
"""How long a call's process may take to take its caller."""
MAX_OPENING_BYTES = 64 * 1024
"""Of a request's head and what came right behind it; in base64 it must fit a channel's message."""

_STATE_KEY = "offhook.doorstep"


async def hand_over(caller: WebSocket, channel: Channel) -> None:
    """Give a caller who was not answered yet to the process of their call.

    It gets the connection itself; where TLS ends in this process, one end of a relay. Nothing
    of the caller is left here then, but for the relay.

    Raises:
        OffhookError: The call's process did not take the caller, or what they sent is too much:
            they are still here, to be refused.
    """
    doorstep = caller.scope.get("state", {}).get(_STATE_KEY)
    if not isinstance(doorstep, Doorstep):
        raise OffhookError(
            "This server cannot hand callers over: uvicorn must be run with "
            "ws=api.handover.Doorstep.",
            code="no_handover",
        )
    await doorstep.hand_over(channel)


async def refuse(caller: WebSocket, error: OffhookError) -> None:
    """Tell a caller who was not answered yet why they cannot come in."""
    await caller.send_denial_response(answer(error))
    doorstep = caller.scope.get("state", {}).get(_STATE_KEY)
    if isinstance(doorstep, Doorstep):
        # Until uvicorn knows that they are gone, it complains that they were not answered.
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKE_SECS):
                await doorstep.gone.wait()


class Doorstep(Around):
    """uvicorn's WebSocket protocol, which can let go of its connection before it has answered.

    It is uvicorn's setting `ws`. Until there is an answer the connection is not read.

    Attributes:
        gone: Set when the connection is.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        # What an application finds in `scope["state"]`.
        state = {**app_state, _STATE_KEY: self}
        self.inner = WebSocketsSansIOProtocol(config, server_state, state, _loop)
        self._transport = cast(asyncio.Transport, None)
        self._leash = cast(_Leash, None)
        self._head = b""
        self._behind = b""
        self._answered = False
        self.gone = asyncio.Event()
        self._lent: socket.socket | None = None
        """A copy of a connection that stays here, of which another process may have one too."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over from uvicorn's HTTP protocol, which has read the head and perhaps more."""
        self._transport = cast(asyncio.Transport, transport)
        self._leash = _Leash(self._transport, self._go_on)
        self._behind = _read_already(self._transport.get_protocol())
        super().connection_made(self._leash)

    def data_received(self, data: bytes) -> None:
        """The first that comes is the head, from uvicorn; the rest waits for the answer."""
        if not self._head:
            self._head = data
            self._transport.pause_reading()
            super().data_received(data)
        elif self._answered:
            super().data_received(data)
        else:
            self._behind += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, also for a process that takes it too late."""
        self.gone.set()
        if not self._leash.loose:
            super().connection_lost(exc)
        if self._lent:
            _hang_up(self._lent)

    async def hand_over(self, channel: Channel) -> None:
        """See the function of this name."""
        opening = _without_query(self._head) + self._behind
        if len(opening) > MAX_OPENING_BYTES:
            raise BadRequestError("The request is too long; wait for its answer.")
        if self._transport.get_write_buffer_size():
            raise BadRequestError("Take the answer to the earlier request first.")
        if self.whole():
            await self._give(channel, opening)
        else:
            await self._relay(channel, opening)

    def whole(self) -> bool:
        """Whether all there is to the connection is its socket: no TLS ends here."""
        known = self._transport.get_extra_info
        return known("socket") is not None and known("sslcontext") is None

    async def _give(self, channel: Channel, opening: bytes) -> None:
        descriptor = self._transport.get_extra_info("socket").fileno()
        lent = socket.socket(fileno=os.dup(descriptor))
        try:
            await _ask(channel, lent, opening)
            self._let_go()
        except BaseException:
            # When the caller has their refusal it must end for whoever takes it late, too.
            self._lent = lent
            if self.gone.is_set():
                _hang_up(lent)
            raise
        lent.close()
        self._transport.abort()

    async def _relay(self, channel: Channel, opening: bytes) -> None:
        near, far = socket.socketpair()
        relay = Relay(self._transport)
        try:
            near.setblocking(False)
            with far:
                await _ask(channel, far, opening)
            loop = asyncio.get_running_loop()
            await loop.create_unix_connection(lambda: relay.call, sock=near)
        except BaseException:
            near.close()
            raise
        try:
            self._let_go()
        except HandoverError:
            relay.call.transport.abort()
            raise
        relay.begin()

    def _let_go(self) -> None:
        """Have uvicorn forget the caller: for it, they have left before they were answered."""
        if self.gone.is_set() or self._transport.is_closing():
            raise HandoverError("The caller is gone; nobody was answered.")
        self._leash.loose = True
        super().connection_lost(ConnectionAbortedError("handed over"))

    def _go_on(self) -> None:
        """The caller was answered here: read on."""
        self._answered = True
        self._transport.resume_reading()
        if self._behind and not self._transport.is_closing():
            super().data_received(self._behind)


async def _ask(channel: Channel, connection: socket.socket, opening: bytes) -> None:
    head = base64.b64encode(opening).decode("ascii")
    fds = [connection.fileno()]
    await channel.ask("socket", fds=fds, timeout_secs=TAKE_SECS, head=head)


def _hang_up(connection: socket.socket) -> None:
    """End a connection for everybody who has a copy of it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _read_already(protocol: asyncio.BaseProtocol) -> bytes:
    """What uvicorn's HTTP protocol has read behind the head.

    Only h11 keeps it; with httptools, uvicorn drops it. No client may send any: RFC 6455, 4.1.
    """
    return protocol.conn.trailing_data[0] if isinstance(protocol, H11Protocol) else b""


def _without_query(head: bytes) -> bytes:
    """The head without the token, which has done its work."""
    line, end, rest = head.partition(b"\r\n")
    method, target, version = line.split(b" ", 2)
    return b" ".join((method, target.partition(b"?")[0], version)) + end + rest


class _Leash(asyncio.Transport):
    """What uvicorn's protocol takes for its transport; let loose, it does nothing."""

    def __init__(self, transport: asyncio.Transport, on_answer: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._on_answer: Callable[[], None] | None = on_answer
        self.loose = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self.loose or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self.loose:
            return
        self._transport.write(data)
        if self._on_answer:
            # Not now: whoever writes is in the middle of something.
            asyncio.get_running_loop().call_soon(self._on_answer)
            self._on_answer = None

    def close(self) -> None:
        if not self.loose:
            self._transport.close()

    def abort(self) -> None:
        if not self.loose:
            self._transport.abort()

    def pause_reading(self) -> None:
        if not self.loose:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.loose:
            self._transport.resume_reading()
