"""A few lines are made once, by a voice that nobody else waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.services.tts_service import TTSService

from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.vendors import Vendors
from processors.phrases import Clip, Phrases, Shelf, trim
from providers.kinds import TtsConfig
from providers.tts._simulated_service import SimulatedTtsService
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from providers.tts.elevenlabs import ElevenLabsTts
from providers.tts.openai_compatible import OpenAiCompatibleTts
from providers.tts.simulated import SimulatedTts
from tests.support.speaking import Here

pytestmark = pytest.mark.integration

RATE_HZ = 24_000
CHAR_MS = 50
LINES = ("Let me see.", "One moment.")
VOICE = Voice(ttfb=Latency(p50_ms=20), char_ms=CHAR_MS, speed=20)


class _Kitchen:
    """Counts how often a voice is built."""

    def __init__(self, config: TtsConfig) -> None:
        self.config = config
        self.built = 0
        self.shelf = Shelf()
        self.free = asyncio.Event()
        self.free.set()

    def build(self) -> TTSService:
        self.built += 1
        return self.config.build(Here())

    async def clips(self, *lines: str) -> list[Clip]:
        phrases = Phrases(lines, self.config.model_dump_json(), self.build, self.shelf)
        return [clip async for clip in phrases.clips(RATE_HZ, free=self.free.wait)]


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    for name in ("CARTESIA", "DEEPGRAM", "ELEVENLABS", "OPENAI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-planted-0123456789")
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


@pytest.fixture(params=["cartesia", "deepgram", "elevenlabs", "openai", "simulated"])
def config(request: pytest.FixtureRequest, vendors: Vendors) -> TtsConfig:
    url, socket = vendors.url, vendors.url.replace("http", "ws")
    configs: dict[str, TtsConfig] = {
        "cartesia": CartesiaTts(base_url=f"{socket}/cartesia"),
        "deepgram": DeepgramTts(base_url=f"{socket}/deepgram"),
        "elevenlabs": ElevenLabsTts(base_url=f"{socket}/elevenlabs"),
        "openai": OpenAiCompatibleTts(base_url=f"{url}/openai/v1", key_env="OPENAI_API_KEY"),
        "simulated": SimulatedTts(char_ms=CHAR_MS),
    }
    return configs[request.param]


async def test_every_kind_of_voice_makes_them_and_counts_them(config: TtsConfig) -> None:
    clips = await _Kitchen(config).clips(*LINES)

    assert tuple(clip.text for clip in clips) == LINES
    for clip in clips:
        assert clip.rate_hz == RATE_HZ
        assert clip.ms == pytest.approx(len(clip.text) * CHAR_MS, rel=0.25)
        assert len(clip.text) <= sum(datum.value for datum in clip.usage) <= len(clip.text) + 2


async def test_a_line_is_paid_for_once() -> None:
    kitchen = _Kitchen(SimulatedTts(char_ms=CHAR_MS))
    await kitchen.clips(*LINES)
    again = await kitchen.clips(*LINES)

    assert [clip.text for clip in again] == list(LINES)
    assert not any(clip.usage for clip in again)
    assert kitchen.built == 1


async def test_a_voice_that_is_gone_makes_none(vendors: Vendors) -> None:
    fault = Fault(kind="status", status=402, times=None)
    vendors.desk.behave(Behaviour(voice=VOICE, faults={"cartesia": (fault,)}))
    url = vendors.url.replace("http", "ws")

    assert await _Kitchen(CartesiaTts(base_url=f"{url}/cartesia")).clips(*LINES) == []


async def test_nothing_is_built_nor_made_while_the_voice_is_needed() -> None:
    kitchen = _Kitchen(SimulatedTts(char_ms=CHAR_MS))
    await kitchen.clips(LINES[0])
    phrases = Phrases(LINES, kitchen.config.model_dump_json(), kitchen.build, kitchen.shelf)
    kitchen.free.clear()
    async with contextlib.aclosing(phrases.clips(RATE_HZ, free=kitchen.free.wait)) as clips:
        kept = await anext(clips)
        other = asyncio.create_task(anext(clips))
        await asyncio.sleep(0.1)
        built = kitchen.built
        kitchen.free.set()
        made = await other

    assert built == 1
    assert kitchen.built == 2
    assert (kept.text, made.text) == LINES


class _Clinging(SimulatedTtsService):
    """Never has its connections closed."""

    async def cleanup(self) -> None:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_whoever_leaves_leaves_nothing_behind(*, stubborn: bool) -> None:
    kind = _Clinging if stubborn else SimulatedTtsService

    def build() -> TTSService:
        return kind(ttfb_secs=0.01, char_secs=0.01, pitch_hz=220)

    async def make(made: asyncio.Event) -> None:
        lines = (LINES[0], "A line that takes long." * 1000)
        clips = Phrases(lines, "hum", build, Shelf()).clips(RATE_HZ, free=at_once)
        async with contextlib.aclosing(clips):
            async for _ in clips:
                made.set()

    async def at_once() -> None:
        """Nobody needs the voice."""

    before = asyncio.all_tasks()
    first = asyncio.Event()
    making = asyncio.create_task(make(first))
    async with asyncio.timeout(20):
        await first.wait()
        making.cancel()
        await asyncio.wait({making})

    assert making.cancelled()
    assert asyncio.all_tasks() == before


def test_the_shelf_is_bounded_and_lets_the_oldest_go() -> None:
    shelf = Shelf(limit=2)
    for text in ("a", "b", "c"):
        shelf.put("voice", Clip(text, np.ones(10, np.int16), RATE_HZ))

    assert shelf.get("voice", "a") is None
    assert shelf.get("voice", "c") is not None
    assert shelf.get("another", "c") is None


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 500))
def test_only_silence_is_trimmed(before_ms: int, word_ms: int, after_ms: int) -> None:
    per_ms = RATE_HZ // 1000
    word = np.full(word_ms * per_ms, 8000, np.int16)
    silence = np.zeros(max(before_ms, after_ms) * per_ms, np.int16)
    whole = np.concatenate((silence[: before_ms * per_ms], word, silence[: after_ms * per_ms]))
    kept = trim(whole, RATE_HZ)

    assert np.count_nonzero(kept) >= min(len(word), len(whole) // 240 * 240 - before_ms * per_ms)
    assert len(kept) <= len(word) + 100 * per_ms


def test_of_silence_nothing_is_left() -> None:
    assert len(trim(np.zeros(1000, np.int16), RATE_HZ)) == 0
    assert len(trim(np.zeros(0, np.int16), RATE_HZ)) == 0
