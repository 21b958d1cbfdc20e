"""What Twilio says on a stream before its first sound: that it is one, and whose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import BadRequestError

CALL_SID = r"^CA[0-9a-f]{32}$"
SETUP_SECS = 5.0
"""How long a stream may take, once it is accepted, to say whose it is."""
MAX_SETUP_CHARS = 8192
"""Of each message until then."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""A WebSocket's, by ASGI."""


class _Wire(BaseModel):
    """A part of a message of Twilio's; what is not read here may be in it too."""

    model_config = ConfigDict(frozen=True)


class _Format(_Wire):
    encoding: Literal["audio/x-mulaw"]
    sampleRate: Literal[8000]
    channels: Literal[1]


class StreamStart(_Wire):
    """What Twilio tells of a stream before its first sound."""

    streamSid: str = Field(pattern=r"^MZ[0-9a-f]{32}$")
    callSid: str = Field(pattern=CALL_SID)
    mediaFormat: _Format
    customParameters: dict[str, str] = {}


class _Connected(_Wire):
    event: Literal["connected"]


class _StartMessage(_Wire):
    event: Literal["start"]
    start: StreamStart


def check_connected(text: str) -> None:
    """Check a stream's first message, which says that it is one.

    Raises:
        BadRequestError: It says something else.
    """
    try:
        _Connected.model_validate_json(text)
    except ValidationError as error:
        raise BadRequestError("This is no stream of Twilio's.", code="start") from error


def read_start(text: str) -> StreamStart:
    """Read a stream's `start` message.

    Raises:
        BadRequestError: It is none, or of a sound that no telephone has.
    """
    try:
        return _StartMessage.model_validate_json(text).start
    except ValidationError as error:
        raise BadRequestError("This is no start of a stream of Twilio's.", code="start") from error


async def read_setup(receive: Receive) -> StreamStart:
    """Read a stream's first two messages: that it is connected, and whose it is.

    Raises:
        BadRequestError: It says something else, too much, or nothing in time.
    """
    try:
        async with asyncio.timeout(SETUP_SECS):
            check_connected(await _message(receive))
            return read_start(await _message(receive))
    except TimeoutError:
        raise BadRequestError("The stream did not start in time.", code="start") from None


async def _message(receive: Receive) -> str:
    text = (await receive()).get("text")
    if not isinstance(text, str):
        raise BadRequestError("The stream did not start.", code="start")
    if len(text) > MAX_SETUP_CHARS:
        raise BadRequestError("The stream's first messages are too long.", code="start")
    return text
