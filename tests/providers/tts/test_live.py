"""Each cloud voice says a sentence; where its key is not set, it is skipped by name."""

from __future__ import annotations

import os

import pytest

from providers.kinds import TtsConfig
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from providers.tts.elevenlabs import ElevenLabsTts
from providers.tts.openai_compatible import OpenAiCompatibleTts
from tests.support.speaking import speaking

pytestmark = pytest.mark.live

TEXT = "Good morning, this is a test. Thank you for listening."
OPENAI = OpenAiCompatibleTts(
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    model="gpt-4o-mini-tts",
    voice="marin",
)


@pytest.mark.parametrize(
    "config",
    [CartesiaTts(), DeepgramTts(), ElevenLabsTts(), OPENAI],
    ids=lambda config: str(config.provider),
)
async def test_it_speaks(config: TtsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    (key,) = config.variables()
    if not os.environ.get(key):
        pytest.skip(f"{config.provider}: {key} is not set")
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert not voice.errors
    assert 1.5 < voice.secs < 10
    assert voice.letters >= len(TEXT) - 1
    assert voice.waits_secs
