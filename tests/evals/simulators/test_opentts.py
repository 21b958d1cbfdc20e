"""OpenTTS' HTTP as its page has it."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.opentts import RATE_HZ
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

CHAR_MS = 50
VOICE = Voice(ttfb=Latency(p50_ms=0), char_ms=CHAR_MS, speed=200)


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


@pytest.fixture
async def client(vendors: Vendors) -> AsyncGenerator[httpx.AsyncClient]:
    url = f"{vendors.url}/opentts"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


async def test_a_text_is_a_wav(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/tts", params={"voice": "hum:en", "text": "one two"})
    assert answer.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (RATE_HZ, 1)
        samples = sound.readframes(1_000_000)
    assert len(samples) / 2 / RATE_HZ == pytest.approx(7 * CHAR_MS / 1000, abs=1e-3)


async def test_voices(client: httpx.AsyncClient) -> None:
    assert "hum:en" in (await client.get("/api/voices")).json()


@pytest.mark.parametrize("params", [{"text": "one"}, {"voice": "hum:en", "text": " "}])
async def test_what_is_missing_is_said(client: httpx.AsyncClient, params: dict[str, str]) -> None:
    answer = await client.get("/api/tts", params=params)
    assert (answer.status_code, answer.text[:18]) == (500, "AssertionError: No")


async def test_silence_is_a_wav_too(vendors: Vendors, client: httpx.AsyncClient) -> None:
    vendors.desk.behave(Behaviour(voice=VOICE, faults={"opentts": (Fault(kind="silent"),)}))
    answer = await client.get("/api/tts", params={"voice": "hum:en", "text": "one two"})
    assert answer.content[:4] == b"RIFF"
    assert len(answer.content) == 44
