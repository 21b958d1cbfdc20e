"""Callers who send and get audio over a WebSocket of this server."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from errors import OffhookError

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport


class TokenError(OffhookError):
    """The token opens no line, or has opened it before."""

    code = "bad_token"
    status = 403

    def __init__(self) -> None:
        super().__init__("The token is wrong or was used before; POST /start gives a new one.")


class TokenLine(ABC):
    """Waits for a WebSocket that shows the token; the session's end ends the token too."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._used = False
        self._socket: Any = None
        self._came = asyncio.Event()
        self._closed = asyncio.Event()

    async def open(self) -> Mapping[str, object]:
        """Tell the token that opens the line, once."""
        return {"token": self._token}

    def admit(self, token: str) -> None:
        """Check the token, in the same time for every wrong one; it is used up.

        Raises:
            TokenError: It is wrong or used up.
        """
        right = hmac.compare_digest(token.encode(), self._token.encode())
        if not right or self._used or self._closed.is_set():
            raise TokenError
        self._used = True

    async def carry(self, socket: Any) -> None:
        """Begin the call on an accepted WebSocket; returns when the call is over.

        Args:
            socket: A Starlette WebSocket.
        """
        self._socket = socket
        self._came.set()
        await self._closed.wait()

    async def arrival(self) -> None:
        """Wait for the WebSocket."""
        await self._came.wait()

    @abstractmethod
    def transport(self) -> BaseTransport:
        """The transport over the WebSocket."""

    def alive(self) -> bool:
        """Whether the WebSocket is open; the server pings the other end."""
        return self._socket is not None and self._socket.client_state.name == "CONNECTED"

    async def close(self) -> None:
        """Let go of the WebSocket: the server closes it."""
        self._closed.set()


class SocketLine(TokenLine):
    """A client that speaks Pipecat's protobuf."""

    def transport(self) -> BaseTransport:
        """The transport over the WebSocket."""
        from pipelines.transports import socket_transport

        return socket_transport(self._socket)
