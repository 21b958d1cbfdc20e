"""ElevenLabs' protocol of many contexts as its documentation has it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from evals.simulators.behaviour import Behaviour, Latency, Voice
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

CHAR_MS = 50
PATH = "/elevenlabs/v1/text-to-speech/some/multi-stream-input?output_format=pcm_16000"
HEADERS = {"xi-api-key": "any"}

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
        yield socket


async def send(socket: Socket, context_id: str, **fields: Any) -> None:
    await socket.send_json({"context_id": context_id, **fields})


async def until_final(socket: Socket, context_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        message = json.loads(await socket.receive_str(timeout=20))
        if message.get("isFinal") and message["contextId"] == context_id:
            return found
        found.append(message)


def secs(found: list[dict[str, Any]], context_id: str) -> float:
    mine = [m for m in found if m["contextId"] == context_id and m.get("audio")]
    return sum(len(base64.b64decode(m["audio"])) for m in mine) / 2 / 16_000


async def test_a_closed_context_says_what_was_flushed(socket: Socket) -> None:
    await send(socket, "a", text=" ", voice_settings={"stability": 0.5})
    await send(socket, "a", text="one two ")
    await send(socket, "a", flush=True)
    await send(socket, "a", close_context=True)
    found = await until_final(socket, "a")
    assert secs(found, "a") == pytest.approx(8 * CHAR_MS / 1000)
    assert "".join(c for m in found for c in m["alignment"]["chars"]) == "one two "


async def test_the_letters_times_begin_anew_in_each_message(socket: Socket) -> None:
    await send(socket, "a", text="one two three ", flush=True)
    await send(socket, "a", close_context=True)
    found = await until_final(socket, "a")
    assert len(found) > 2
    assert {m["alignment"]["charStartTimesMs"][0] for m in found} == {0}
    assert all(len(set(map(len, m["alignment"].values()))) == 1 for m in found)


async def test_contexts_share_a_socket(socket: Socket) -> None:
    for context_id, text in (("a", "one two three "), ("b", "four ")):
        await send(socket, context_id, text=text, flush=True)
        await send(socket, context_id, close_context=True)
    found = await until_final(socket, "a")
    assert secs(found, "a") > secs(found, "b") > 0


@pytest.mark.parametrize("flushed", [False, True])
async def test_an_interrupted_context_is_silent_at_once(
    vendors: Vendors, socket: Socket, flushed: bool
) -> None:
    """Once its text was flushed and it was closed, it is closed again."""
    await send(socket, "a", text="word " * 400, flush=flushed)
    if flushed:
        await send(socket, "a", close_context=True)
    await socket.receive_str(timeout=20)
    await send(socket, "a", close_context=True)
    assert secs(await until_final(socket, "a"), "a") < 20
    assert vendors.desk.abandoned == {"elevenlabs": 1}


async def test_it_closes_when_told(socket: Socket) -> None:
    await socket.send_json({"text": ""})
    await socket.send_json({"close_socket": True})
    assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [({}, PATH, 401), (HEADERS, PATH.replace("pcm", "mp3"), 400)],
)
async def test_what_is_wrong_is_refused(
    vendors: Vendors, headers: dict[str, str], path: str, status: int
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(vendors.url + path, headers=headers)
    assert refused.value.status == status
