"""A server that takes phone calls in this process, and streams as Twilio opens them."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from api.serving import Serving
from api.twilio import VOICE_PATH
from evals.simulators.phone import PHONE_HZ, Number, Phone, Stream
from hosts.house import House, HouseSettings
from hosts.transports import TransportSettings
from hosts.twilio import TwilioSettings, signature
from hosts.twilio_stream import SETUP_SECS
from server import ServerSettings, create_app
from tests.support.serving import free_port

TOKEN = "the auth token of an account at twilio"
LOUD = 1000
"""A sample of speech, or of the scripted voice's hum."""


async def until(true: Callable[[], bool], secs: float = 30) -> None:
    """Wait for what nothing tells of."""
    async with asyncio.timeout(secs):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def loud(phone: Phone, secs: float = 0.1) -> bool:
    """Whether the bot was heard within the last `secs`."""
    return bool((np.abs(phone.tracks()[-round(secs * PHONE_HZ) :, 1]) > LOUD).any())


@asynccontextmanager
async def opened(
    stream: Stream, token: str = TOKEN, *, trust: ssl.SSLContext | None = None
) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """The stream's WebSocket, signed, with nothing said on it."""
    headers = {"X-Twilio-Signature": signature(stream.url, (), token)}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(stream.url, headers=headers, ssl=trust or True) as socket,
    ):
        yield socket


async def say(socket: aiohttp.ClientWebSocketResponse, *messages: Any) -> None:
    """Text as it is, bytes, or an object as JSON."""
    for message in messages:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))


async def refused(stream: Stream, *messages: Any) -> int | None:
    """How the server closes the stream after these."""
    async with opened(stream) as socket:
        await say(socket, *messages)
        await asyncio.wait_for(socket.receive(), SETUP_SECS + 10)
        return socket.close_code


async def denied(stream: Stream, token: str = TOKEN) -> int:
    """The status with which the server refuses the WebSocket."""
    try:
        async with opened(stream, token):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


@dataclass(frozen=True)
class Running:
    """A server in this process."""

    url: str
    house: House

    def number(self, query: str = "") -> Number:
        """Whose calls come to it."""
        return Number(f"{self.url}{VOICE_PATH}{query}", TOKEN)


@asynccontextmanager
async def running(
    data_dir: Path, *, certificate: tuple[Path, Path] | None = None, **house: Any
) -> AsyncGenerator[Running]:
    """Serve until the block ends.

    Args:
        data_dir: Where records go.
        certificate: Of the server, and its key, if TLS ends in it.
        house: More of `HouseSettings`.
    """
    port = free_port()
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    phone_line = TransportSettings(twilio=TwilioSettings(TOKEN, url))
    told: dict[str, Any] = {"transports": phone_line} | house
    settings = ServerSettings(
        port=port, data_dir=data_dir, pipeline="simulated", house=HouseSettings(**told)
    )
    app = create_app(settings)
    server = Serving(app, app.state.house.host)
    if certificate:
        server.config.ssl_certfile, server.config.ssl_keyfile = map(str, certificate)
    listener = socket.create_server(("127.0.0.1", port))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started, 60)
        yield Running(url, app.state.house)
    finally:
        server.should_exit = True
        await serving
