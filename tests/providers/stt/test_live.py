"""The vendors themselves, with human speech, where there is a key for them."""

from __future__ import annotations

import os

import pytest
from pipecat.frames.frames import TranscriptionFrame

from providers.kinds import SttConfig
from providers.stt.deepgram import DeepgramStt
from providers.stt.deepgram_flux import DeepgramFluxStt
from providers.stt.groq_whisper import GroqWhisperStt
from providers.stt.openai_compatible import OpenAiCompatibleStt
from tests.support.ears import Nowhere, listening, quiet, sentence
from tests.support.local_speech import word_errors

pytestmark = [
    pytest.mark.live,
    # Deepgram's SDK connects by what websockets is about to drop.
    pytest.mark.filterwarnings(r"ignore:websockets\..* is deprecated:DeprecationWarning"),
]

REAL_TIME_SECS = 0.02
VENDORS: dict[str, tuple[SttConfig, str]] = {
    "deepgram": (DeepgramStt(), "DEEPGRAM_API_KEY"),
    "deepgram_flux": (DeepgramFluxStt(), "DEEPGRAM_API_KEY"),
    "groq_whisper": (GroqWhisperStt(), "GROQ_API_KEY"),
    "openai": (
        OpenAiCompatibleStt(base_url="https://api.openai.com/v1", key_env="OPENAI_API_KEY"),
        "OPENAI_API_KEY",
    ),
}


@pytest.mark.parametrize(("stt", "key"), VENDORS.values(), ids=VENDORS)
async def test_it_hears_a_sentence(
    stt: SttConfig, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.environ.get(key):
        pytest.skip(f"{key} is not set")
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    audio, words = sentence(0)
    async with listening(stt.build(Nowhere())) as ears:
        await ears.say(audio, pace_secs=REAL_TIME_SECS)
        await ears.hear(quiet(3000), pace_secs=REAL_TIME_SECS)
        finals = await ears.tap.wait(TranscriptionFrame)
    wrong, count = word_errors(words, " ".join(final.text for final in finals))
    assert wrong <= count // 5
    assert ears.errors == []
