"""Callers who send and get audio over a WebSocket; the child's end is `hosts.legs.SocketLeg`."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

from pydantic import JsonValue

from errors import OffhookError


class TokenError(OffhookError):
    """The token opens no line, or has opened it before."""

    code = "bad_token"
    status = 403

    def __init__(self) -> None:
        super().__init__("The token is wrong or was used before; POST /start gives a new one.")


class SocketLine:
    """Knows the token of the WebSocket; the session's end ends the token too."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._used = False
        self._closed = False

    async def open(self) -> Mapping[str, object]:
        """Tell the token that opens the line, once."""
        return {"token": self._token}

    def admit(self, token: str) -> None:
        """Check the token, in the same time for every wrong one; it is used up.

        Raises:
            TokenError: It is wrong or used up.
        """
        right = hmac.compare_digest(token.encode(), self._token.encode())
        if not right or self._used or self._closed:
            raise TokenError
        self._used = True

    def ticket(self) -> dict[str, JsonValue]:
        """The child waits for the connection; the token is checked before it is handed over."""
        return {"kind": "websocket"}

    def holder(self) -> dict[str, JsonValue]:
        """Nothing outlives the call."""
        return {}

    async def close(self) -> None:
        """Nobody comes in any more."""
        self._closed = True
