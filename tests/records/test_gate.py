"""The gate finds where speech begins and ends, in samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.gate import EnergyGate, speech
from tests.support.speech import EDGES_MS, PER_MS, RATE_HZ, clip, voice

pytestmark = pytest.mark.unit


@given(
    start=st.integers(300, 900),
    length=st.integers(120, 1500),
    level=st.floats(0.02, 0.5),
    noise=st.floats(0.0, 0.001),
)
@settings(max_examples=40, deadline=None)
def test_finds_the_edges_of_a_sound(start: int, length: int, level: float, noise: float) -> None:
    track = voice([(start, start + length)], start + length + 500, level=level, noise=noise)

    found = speech(track, RATE_HZ)

    assert len(found) == 1
    assert abs(found[0][0] / PER_MS - start) <= 5
    assert abs(found[0][1] / PER_MS - (start + length)) <= 10


def test_a_click_and_hum_are_no_speech() -> None:
    track = voice([(500, 515), (1500, 1520)], 3000, level=0.3, noise=0.0006).astype(np.float64)
    track += 1000 * np.sin(2 * np.pi * 25 * np.arange(len(track)) / RATE_HZ)

    assert speech(track.astype(np.int16), RATE_HZ) == []


def test_noise_that_grows_is_learnt() -> None:
    quiet, loud = voice([], 3000, noise=0.0005), voice([(14_000, 15_000)], 16_000, noise=0.004)

    found = speech(np.concatenate((quiet, loud)), RATE_HZ)

    assert abs(found[-1][0] / PER_MS - 17_000) <= 15
    assert abs(found[-1][1] / PER_MS - 18_000) <= 30


@pytest.mark.parametrize(("name", "edges_ms"), EDGES_MS.items())
@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_finds_the_edges_of_human_speech(name: str, edges_ms: tuple[int, int], gain: float) -> None:
    found = speech((clip(name) * gain).astype(np.int16), RATE_HZ)

    assert abs(found[0][0] / PER_MS - edges_ms[0]) <= 15
    assert abs(found[-1][1] / PER_MS - edges_ms[1]) <= 15


def test_refuses_a_rate_without_whole_milliseconds() -> None:
    with pytest.raises(ValueError, match="44100 Hz"):
        EnergyGate(44_100)
