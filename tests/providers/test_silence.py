"""Silence around speech is cut, speech never is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.tts._silence import tail_secs, trim

pytestmark = pytest.mark.unit

RATE_HZ = 22_050


def track(lead_ms: int, speech_ms: int, tail_ms: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    lengths = [round(ms * RATE_HZ / 1000) for ms in (lead_ms, speech_ms, tail_ms)]
    parts = [np.full(count, level) for count, level in zip(lengths, (3, 9000, 3), strict=True)]
    return np.concatenate(parts).astype(np.int16)


@pytest.mark.parametrize(
    ("text", "secs"),
    [
        ("See you then.", 0.25),
        ('He said "yes!"', 0.25),
        ("Well,", 0.11),
        ("Let me see: ", 0.11),
        ("We are open from nine to five", 0.05),
        ("", 0.05),
    ],
)
def test_the_pause_follows_the_punctuation(text: str, secs: float) -> None:
    assert tail_secs(text) == secs


def test_silence_is_cut() -> None:
    heard = len(trim(track(200, 500, 400), RATE_HZ, tail_secs=0.1)) / 2 / RATE_HZ
    assert heard == pytest.approx(0.02 + 0.5 + 0.1, abs=0.011)


def test_silence_alone_is_nothing() -> None:
    assert trim(np.zeros(5000, np.int16), RATE_HZ, tail_secs=0.1) == b""
    assert trim(np.zeros(0, np.int16), RATE_HZ, tail_secs=0.1) == b""


@given(st.integers(0, 400), st.integers(20, 600), st.integers(0, 400))
def test_speech_is_kept_whole(lead_ms: int, speech_ms: int, tail_ms: int) -> None:
    samples = track(lead_ms, speech_ms, tail_ms)
    kept = np.frombuffer(trim(samples, RATE_HZ, tail_secs=0.1), "<i2")
    slack = round(RATE_HZ * 0.005)
    assert abs(int((kept == 9000).sum()) - int((samples == 9000).sum())) <= slack
    assert len(kept) <= (samples == 9000).sum() + round(0.12 * RATE_HZ) + 3 * slack
