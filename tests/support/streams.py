"""What Twilio says first on a stream, and a WebSocket on which it is said."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

CALL, STREAM = f"CA{'1' * 32}", f"MZ{'2' * 32}"
CONNECTED: dict[str, Any] = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


def start(**changes: Any) -> dict[str, Any]:
    """Twilio's documented `start` message, with something else in it."""
    told = {
        "accountSid": f"AC{'0' * 32}",
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "word"},
    }
    message = {"event": "start", "sequenceNumber": "1", "streamSid": STREAM}
    return message | {"start": told | changes}


class Said:
    """A Starlette WebSocket, as far as a leg looks at it; what is not said yet is waited for."""

    def __init__(self, *messages: Any) -> None:
        self.client_state = SimpleNamespace(name="CONNECTED")
        self.application_state = SimpleNamespace(name="DISCONNECTED")
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self.say(message)

    def say(self, message: Any) -> None:
        """Text as it is, bytes, or an object as JSON."""
        if isinstance(message, bytes):
            self._put(bytes=message)
        else:
            self._put(text=message if isinstance(message, str) else json.dumps(message))

    def leave(self) -> None:
        """Close it from Twilio's end."""
        self._messages.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def receive(self) -> dict[str, Any]:
        """The next ASGI message."""
        return await self._messages.get()

    def _put(self, **content: Any) -> None:
        self._messages.put_nowait({"type": "websocket.receive", **content})
