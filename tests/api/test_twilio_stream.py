"""A stream of Twilio's on its way to the process of its call, whoever ends TLS or has died."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.datastructures import Headers
from starlette.websockets import WebSocket

from api.twilio import VOICE_PATH
from evals.simulators.phone import Number, Phone, ask
from tests.support.certificates import self_signed
from tests.support.edges import calling, edge
from tests.support.phones import TOKEN, loud, opened, running, until
from tests.support.serving import free_port, serving

pytestmark = pytest.mark.integration

SENT = {
    "X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    "I-Twilio-Idempotency-Token": "f0b5f1a5-8a9f-4f5c-8b6e-3c8c5f8d9e10",
    "User-Agent": "TwilioProxy/1.1",
    "X-Forwarded-For": "198.51.100.7, 203.0.113.9",
    "X-Forwarded-Proto": "https",
}


@pytest.mark.parametrize("secure", [False, True], ids=["handed over", "relayed"])
async def test_twilios_headers_come_unharmed(secure: bool, tmp_path: Path) -> None:
    came: list[Headers] = []

    async def note(caller: WebSocket) -> None:
        came.append(caller.headers)

    server_options: dict[str, Any] = {}
    options: dict[str, Any] = {"user_agent_header": None}
    if secure:
        cert, key = self_signed(tmp_path)
        server_options = {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}
        options["ssl"] = ssl.create_default_context(cafile=cert)
    async with (
        edge(note, **server_options) as server,
        calling(f"{server.url}/give", additional_headers=SENT, **options) as caller,
    ):
        await caller.wait_closed()
    (headers,) = came
    assert {name: headers.getlist(name) for name in SENT} == {n: [v] for n, v in SENT.items()}
    assert headers["host"].startswith("localhost:")


async def test_a_call_is_had_where_tls_ends_in_the_server(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=certificate[0])
    async with running(tmp_path / "data", certificate=certificate) as server:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
            stream = await ask(http, server.number())
        assert stream.url.startswith("wss://")
        async with opened(stream, trust=trust) as socket:
            phone = Phone(socket, stream)
            living = asyncio.ensure_future(phone.live())
            await until(lambda: loud(phone))
            await server.house.host.hang_up(stream.session)
            await asyncio.wait_for(phone.over.wait(), 10)
            await living
        assert phone.came[-1] == "mark"
        assert socket.close_code == 1000


async def test_a_stream_finds_its_call_when_another_server_has_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process has the token; the next server needs none."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("OFFHOOK_PUBLIC_URL", url)
    with serving(tmp_path, "--pipeline", "simulated", port=port) as first:
        async with aiohttp.ClientSession() as http:
            stream = await ask(http, Number(f"{url}{VOICE_PATH}", TOKEN))
        first.process.kill()
        first.process.wait()
        with serving(tmp_path, "--pipeline", "simulated", port=port):
            async with opened(stream) as socket:
                phone = Phone(socket, stream)
                living = asyncio.ensure_future(phone.live())
                await until(lambda: loud(phone))
                await phone.hang_up()
                await living
