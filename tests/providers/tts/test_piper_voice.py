"""Piper's voice is prompt, has no silence around it, and obeys."""

from __future__ import annotations

import numpy as np
import pytest

from providers.tts._piper_voice import PiperVoice
from providers.tts._voice_http import Request
from providers.tts.piper import PiperTts
from tests.support.local_speech import weights

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def voice() -> PiperVoice:
    return PiperVoice(weights(PiperTts()))


def say(
    voice: PiperVoice, text: str, *, speed: float = 1.0
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    audio = b"".join(voice.speak(Request(text=text, speed=speed)))
    return np.frombuffer(audio, "<i2")


def test_it_speaks_at_once(voice: PiperVoice) -> None:
    audio = say(voice, "We are open from nine to five.")
    loud = np.flatnonzero(np.abs(audio) > 500)
    assert 1.0 < audio.size / voice.sample_rate_hz < 3.0
    assert loud[0] / voice.sample_rate_hz < 0.06
    assert (audio.size - loud[-1]) / voice.sample_rate_hz < 0.35


def test_a_sentence_is_a_piece(voice: PiperVoice) -> None:
    assert len(list(voice.speak(Request(text="Good morning. How are you?", speed=1.0)))) == 2


def test_speed(voice: PiperVoice) -> None:
    slow = say(voice, "We are open from nine to five.", speed=0.8)
    fast = say(voice, "We are open from nine to five.", speed=1.6)
    assert 1.3 < slow.size / fast.size < 2.7


def test_loud_but_not_clipped(voice: PiperVoice) -> None:
    peak = int(np.abs(say(voice, "Yes! Of course, what a wonderful day.").astype(np.int32)).max())
    assert 8_000 < peak <= 32_767


def test_signs_alone_are_silence(voice: PiperVoice) -> None:
    assert say(voice, "...").size < voice.sample_rate_hz
