"""The hum is as long as the words."""

from __future__ import annotations

import numpy as np
import pytest

from providers.tts._hum import hum

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("rate_hz", [8000, 24_000])
def test_it_lasts_as_long_as_its_letters(rate_hz: int) -> None:
    audio = hum("ten letter", char_secs=0.06, pitch_hz=220, sample_rate_hz=rate_hz)
    assert len(audio) == round(0.6 * rate_hz) * 2


def test_it_is_heard_and_not_clipped() -> None:
    audio = hum("ten letter", char_secs=0.06, pitch_hz=220, sample_rate_hz=24_000)
    peak = int(np.abs(np.frombuffer(audio, "<i2").astype(np.int32)).max())
    assert 4000 < peak < 9000


def test_no_words_no_hum() -> None:
    assert hum("", char_secs=0.06, pitch_hz=220, sample_rate_hz=24_000) == b""
