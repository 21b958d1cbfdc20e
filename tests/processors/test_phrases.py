"""A few lines are made once, by a voice that nobody else waits for."""

from __future__ import annotations

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

    def build(self) -> TTSService:
        self.built += 1
        return self.config.build(Here())

    async def clips(self, *lines: str) -> list[Clip]:
        phrases = Phrases(lines, self.config.model_dump_json(), self.build, self.shelf)
        return [clip async for clip in phrases.clips(RATE_HZ)]


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
