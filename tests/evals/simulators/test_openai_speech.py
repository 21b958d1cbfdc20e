"""OpenAI's `/audio/speech` as its reference has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Latency, Voice
from evals.simulators.openai_speech import RATE_HZ
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

CHAR_MS = 50
BODY = {"model": "tts-1", "voice": "alloy", "input": "one two", "response_format": "pcm"}


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    voice = Voice(ttfb=Latency(p50_ms=0), char_ms=CHAR_MS, speed=200)
    async with (
        Vendors(Behaviour(voice=voice)) as vendors,
        httpx.AsyncClient(
            base_url=f"{vendors.url}/openai/v1",
            headers={"Authorization": "Bearer any"},
            trust_env=False,
        ) as client,
    ):
        yield client


async def test_a_text_is_samples(client: httpx.AsyncClient) -> None:
    answer = await client.post("/audio/speech", json=BODY)
    assert len(answer.content) / 2 / RATE_HZ == pytest.approx(7 * CHAR_MS / 1000)


async def test_or_a_wav(client: httpx.AsyncClient) -> None:
    answer = await client.post("/audio/speech", json=BODY | {"response_format": "wav"})
    assert answer.content[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"voice": ""}, "voice"),
        ({"input": None}, "input"),
        ({"input": "a" * 4097}, "4096"),
        ({"response_format": "mp3"}, "pcm"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, fields: dict[str, Any], says: str
) -> None:
    answer = await client.post("/audio/speech", json=BODY | fields)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_a_stranger_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/audio/speech", json=BODY, headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
