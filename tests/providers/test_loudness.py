"""Quiet is told from speech in silent rooms, noisy ones, and after loud words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.stt._loudness import Loudness, level_db

pytestmark = pytest.mark.unit

levels = st.lists(st.floats(-90, 0), max_size=200)


def hear(*spans: tuple[float, int]) -> Loudness:
    """A room's silence, then speech levels: (dB, frames) each."""
    loudness = Loudness()
    for _ in range(100):
        loudness.feed(-60.0)
    loudness.begin([])
    for frame_db, frames in spans:
        for _ in range(frames):
            loudness.feed(frame_db)
    return loudness


def test_level_of_known_signals() -> None:
    full = np.full(160, 32767, "<i2").tobytes()
    half = np.full(160, 16384, "<i2").tobytes()
    assert level_db(full) == pytest.approx(0.0, abs=0.01)
    assert level_db(half) == pytest.approx(-6.02, abs=0.01)
    assert level_db(bytes(320)) == -80.0


def test_speech_is_loud() -> None:
    loudness = hear((-20.0, 30))
    assert (loudness.quiet_ms, loudness.loud_ms, loudness.voiced_ms) == (0, 300, 300)


def test_silence_after_speech_is_quiet() -> None:
    loudness = hear((-20.0, 30), (-60.0, 12))
    assert 90 <= loudness.quiet_ms <= 120
    assert loudness.loud_ms == 0


def test_a_soft_word_after_a_loud_one_is_speech() -> None:
    assert hear((-20.0, 30), (-34.0, 20)).quiet_ms == 0


def test_a_noisy_room_is_quiet_between_words() -> None:
    loudness = Loudness()
    for _ in range(1500):
        loudness.feed(-35.0)
    loudness.begin([])
    for frame_db in [-18.0] * 30 + [-35.0] * 15:
        loudness.feed(frame_db)
    assert loudness.quiet_ms >= 100


def test_a_breath_within_the_quiet_does_not_end_it() -> None:
    """The threshold lies 18 dB below the peak; it takes 4 dB more to leave the quiet."""
    assert hear((-20.0, 30), (-60.0, 10), (-38.0, 5)).quiet_ms > 100
    assert hear((-20.0, 30), (-60.0, 10), (-30.0, 5)).quiet_ms == 0


def test_begin_tells_where_the_speech_began() -> None:
    loudness = Loudness()
    assert loudness.begin([-60.0] * 25 + [-20.0] * 20) == 25
    assert loudness.voiced_ms == 200


def test_begin_without_a_past() -> None:
    assert Loudness().begin([]) == 0


@given(levels, levels)
def test_a_frame_is_either_quiet_or_loud(earlier: list[float], later: list[float]) -> None:
    loudness = Loudness()
    onset = loudness.begin(earlier)
    assert 0 <= onset <= len(earlier)
    for frame_db in later:
        loudness.feed(frame_db)
        assert (loudness.quiet_ms == 0) != (loudness.loud_ms == 0)
        assert loudness.voiced_ms >= loudness.loud_ms
