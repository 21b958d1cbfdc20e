"""Cartesia's protocol as its documentation has it."""

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

HEADERS = {"X-API-Key": "any", "Cartesia-Version": "2026-03-01"}
CHAR_MS = 50


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    voice = Voice(ttfb=Latency(p50_ms=0), char_ms=CHAR_MS, speed=200)
    async with Vendors(Behaviour(voice=voice)) as vendors:
        yield vendors


@pytest.fixture
async def socket(vendors: Vendors) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{vendors.url}/cartesia/tts/websocket", headers=HEADERS) as socket,
    ):
        yield socket


def say(text: str, context_id: str = "a") -> dict[str, Any]:
    sound = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000}
    return {
        "model_id": "sonic-3.6",
        "transcript": text,
        "voice": {"mode": "id", "id": "some"},
        "output_format": sound,
        "context_id": context_id,
        "continue": False,
    }


async def until_done(
    socket: aiohttp.ClientWebSocketResponse, *context_ids: str
) -> list[dict[str, Any]]:
    """Messages until each of these contexts is done."""
    found: list[dict[str, Any]] = []
    waiting = set(context_ids)
    while waiting:
        found.append(json.loads(await socket.receive_str(timeout=20)))
        if found[-1]["done"]:
            waiting.discard(found[-1]["context_id"])
    return found


def of(found: list[dict[str, Any]], kind: str, context_id: str = "a") -> list[dict[str, Any]]:
    return [m for m in found if m["type"] == kind and m["context_id"] == context_id]


def secs(found: list[dict[str, Any]], context_id: str = "a") -> float:
    audio = [base64.b64decode(m["data"]) for m in of(found, "chunk", context_id)]
    return sum(map(len, audio)) / 2 / 16_000


async def test_a_text_is_spoken(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_json(say("one two"))
    found = await until_done(socket, "a")
    assert secs(found) == pytest.approx(7 * CHAR_MS / 1000)
    words = [m["word_timestamps"] for m in of(found, "timestamps")]
    assert [word for times in words for word in times["words"]] == ["one", "two"]
    assert [at for times in words for at in times["start"]] == pytest.approx([0.0, 0.2])
    assert found[-1]["type"] == "done"


async def test_a_context_goes_on(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_json(say("one ") | {"continue": True})
    await socket.send_json(say("two") | {"continue": True})
    await socket.send_json(say(""))
    found = await until_done(socket, "a")
    starts = [at for m in of(found, "timestamps") for at in m["word_timestamps"]["start"]]
    assert starts == pytest.approx([0.0, 0.2])
    assert [m["flush_id"] for m in of(found, "flush_done")] == [1, 2]


async def test_contexts_share_a_socket(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_json(say("one two three", "a"))
    await socket.send_json(say("four", "b"))
    found = await until_done(socket, "a", "b")
    assert secs(found, "a") > secs(found, "b") > 0
    assert found[-1]["context_id"] == "a"


async def test_a_cancelled_context_is_silent_at_once(
    vendors: Vendors, socket: aiohttp.ClientWebSocketResponse
) -> None:
    await socket.send_json(say("word " * 400))
    await socket.receive_str(timeout=20)
    await socket.send_json({"context_id": "a", "cancel": True})
    await socket.send_json(say("next", "b"))
    found = await until_done(socket, "b")
    assert secs(found, "a") < 10
    assert not of(found, "done", "a")
    assert vendors.desk.abandoned == {"cartesia": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"model_id": ""},
        {"voice": {"id": "some"}},
        {"transcript": None},
        {"output_format": {"container": "mp3"}},
    ],
)
async def test_what_is_wrong_is_an_error(
    socket: aiohttp.ClientWebSocketResponse, fields: dict[str, Any]
) -> None:
    await socket.send_json(say("one") | fields)
    (found,) = await until_done(socket, "a")
    assert (found["type"], found["status_code"]) == ("error", 400)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"X-API-Key": "any"}, 400)],
)
async def test_a_stranger_is_refused(
    vendors: Vendors, headers: dict[str, str], status: int
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{vendors.url}/cartesia/tts/websocket", headers=headers)
    assert refused.value.status == status
