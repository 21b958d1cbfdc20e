"""Kokoro's voice is understood, has no silence around it, and obeys. On a CPU it is slow."""

from __future__ import annotations

import numpy as np
import pytest

from providers.stt._moonshine_decoder import MoonshineDecoder
from providers.stt.moonshine import MoonshineStt
from providers.tts._kokoro_voice import KokoroVoice
from providers.tts._voice_http import Request
from providers.tts.kokoro import KokoroTts
from tests.support.local_speech import weights, word_errors

pytestmark = pytest.mark.integration

SENTENCE = "We are open from nine to five on Monday, and until six on Thursday."


@pytest.fixture(scope="module")
def voice() -> KokoroVoice:
    return KokoroVoice(weights(KokoroTts()))


def say(voice: KokoroVoice, text: str, *, speed: float = 1.0, speaker: str = "") -> bytes:
    return b"".join(voice.speak(Request(text=text, speed=speed, speaker=speaker)))


@pytest.mark.parametrize("speaker", ["af_heart", "bm_george"])
def test_it_is_understood(voice: KokoroVoice, speaker: str) -> None:
    decoder = MoonshineDecoder(weights(MoonshineStt()))
    heard = decoder.decode(say(voice, SENTENCE, speaker=speaker), voice.sample_rate_hz)
    decoder.close()
    wrong, total = word_errors(SENTENCE, heard)
    assert wrong <= total * 0.15, heard


def test_it_speaks_at_once_and_stops_soon_after(voice: KokoroVoice) -> None:
    audio = np.frombuffer(say(voice, SENTENCE), "<i2")
    loud = np.flatnonzero(np.abs(audio) > 500)
    assert loud[0] / voice.sample_rate_hz < 0.1
    assert (audio.size - loud[-1]) / voice.sample_rate_hz < 0.4


def test_a_sentence_is_a_piece(voice: KokoroVoice) -> None:
    assert len(list(voice.speak(Request(text="Good morning. How are you?")))) == 2


def test_speed(voice: KokoroVoice) -> None:
    assert len(say(voice, SENTENCE, speed=0.8)) > 1.4 * len(say(voice, SENTENCE, speed=1.6))


def test_signs_alone_are_silence(voice: KokoroVoice) -> None:
    assert say(voice, "...") == b""
