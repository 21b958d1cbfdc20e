"""Deepgram's speaking protocol as its documentation has it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from evals.simulators.behaviour import Behaviour, Latency, Voice
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

CHAR_MS = 50
PATH = "/deepgram/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=16000"
HEADERS = {"Authorization": "Token any"}

Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    voice = Voice(ttfb=Latency(p50_ms=0), char_ms=CHAR_MS, speed=200)
    async with Vendors(Behaviour(voice=voice)) as vendors:
        yield vendors


@pytest.fixture
async def socket(vendors: Vendors) -> AsyncGenerator[Socket]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(vendors.url + PATH, headers=HEADERS) as socket,
    ):
        assert (await socket.receive_json(timeout=20))["model_name"] == "aura-2-thalia-en"
        yield socket


async def send(socket: Socket, kind: str, **more: Any) -> None:
    await socket.send_json({"type": kind, **more})


async def until(socket: Socket, kind: str) -> float:
    """Seconds of sound before the message of that kind."""
    count = 0
    while True:
        message = await socket.receive(timeout=20)
        if message.type is aiohttp.WSMsgType.BINARY:
            count += len(message.data)
        elif json.loads(message.data)["type"] == kind:
            return count / 2 / 16_000


async def test_a_flush_speaks_what_is_there(socket: Socket) -> None:
    await send(socket, "Speak", text="one ")
    await send(socket, "Speak", text="two")
    await send(socket, "Flush")
    assert await until(socket, "Flushed") == pytest.approx(7 * CHAR_MS / 1000)


async def test_a_sentence_does_not_wait_for_the_flush(socket: Socket) -> None:
    await send(socket, "Speak", text="One two. Thr")
    assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.BINARY
    await send(socket, "Speak", text="ee.")
    await send(socket, "Flush")
    assert await until(socket, "Flushed") > 0.6


async def test_one_reply_after_the_other(socket: Socket) -> None:
    for _ in range(2):
        await send(socket, "Speak", text="one")
        await send(socket, "Flush")
        assert await until(socket, "Flushed") == pytest.approx(3 * CHAR_MS / 1000)


async def test_what_is_cleared_is_silent_at_once(vendors: Vendors, socket: Socket) -> None:
    await send(socket, "Speak", text="Word. " * 200 + "and this")
    await socket.receive(timeout=20)
    await send(socket, "Clear")
    assert await until(socket, "Cleared") < 20
    await send(socket, "Flush")
    assert await until(socket, "Flushed") == 0
    assert vendors.desk.abandoned == {"deepgram-speak": 1}


async def test_too_many_flushes_are_warned_of(socket: Socket) -> None:
    for _ in range(21):
        await send(socket, "Flush")
    await until(socket, "Warning")


async def test_too_long_a_text_is_warned_of(socket: Socket) -> None:
    await send(socket, "Speak", text="a" * 2001)
    await until(socket, "Warning")


async def test_it_closes_when_told(socket: Socket) -> None:
    await send(socket, "Close")
    assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE


async def test_what_is_no_message_ends_the_connection(socket: Socket) -> None:
    await socket.send_str("{")
    message = await socket.receive(timeout=20)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [({}, PATH, 401), (HEADERS, PATH.replace("16000", "1"), 400)],
)
async def test_what_is_wrong_is_refused(
    vendors: Vendors, headers: dict[str, str], path: str, status: int
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(vendors.url + path, headers=headers)
    assert refused.value.status == status
    assert refused.value.headers and refused.value.headers["dg-error"]
