"""The gate finds where speech begins and ends, in samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.gate import EnergyGate, Meter, Powers, Samples, speech
from tests.support.speech import EDGES_MS, PER_MS, RATE_HZ, clip, voice

pytestmark = pytest.mark.unit


@st.composite
def tracks(draw: st.DrawFn) -> Samples:
    """Stretches of noise, hum, buzzing and digital silence, cut off hard."""
    parts: list[Samples] = []
    for _ in range(draw(st.integers(1, 5))):
        count = draw(st.integers(1, 450)) * PER_MS + draw(st.integers(0, 15))
        times = np.arange(count) / RATE_HZ
        loud = draw(st.sampled_from([0, 1, 40, 4000, 32_000]))
        kinds = (
            np.random.default_rng(count).normal(0, 0.3, count),
            np.sin(2 * np.pi * 25 * times),
            np.sign(np.sin(2 * np.pi * 180 * times)),
        )
        parts.append(np.clip(draw(st.sampled_from(kinds)) * loud, -32768, 32767).astype(np.int16))
    return np.concatenate(parts)


def cut(track: Samples, cuts: list[float]) -> list[Samples]:
    edges = [0, *sorted(int(at * len(track)) for at in cuts), len(track)]
    return [track[a:b] for a, b in pairwise(edges)]


def plain_powers(track: Samples) -> Powers:
    """What the meter finds, sample by sample."""
    pole = np.exp(-2 * np.pi * 64 / RATE_HZ)
    raw = filtered = [float(sample) / 32768 for sample in track]
    for _ in range(2):
        out, last = [0.0], 0.0
        for sample in filtered:
            out.append(pole * out[-1] + (1 + pole) / 2 * (sample - last))
            last = sample
        filtered = out[1:]
    means = [np.square(side).reshape(-1, PER_MS).mean(axis=1) for side in (raw, filtered)]
    return np.minimum(*means).tolist()


cut_anywhere = st.lists(st.floats(0, 1), max_size=12)


@given(track=tracks(), cuts=cut_anywhere, frames=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_measures_each_millisecond_however_the_track_is_cut(
    track: Samples, cuts: list[float], frames: int
) -> None:
    meter = Meter(RATE_HZ, frames)

    found = [power for part in cut(track, cuts) for ms in meter.feed(part) for power in ms]

    whole = len(track) // (frames * 10 * PER_MS) * frames * 10
    assert len(found) == whole
    assert found == pytest.approx(plain_powers(track[: whole * PER_MS]), rel=1e-9, abs=1e-15)


@given(track=tracks(), cuts=cut_anywhere, room=st.booleans())
@settings(max_examples=40, deadline=None)
def test_finds_the_same_however_the_track_is_cut(
    track: Samples, cuts: list[float], room: bool
) -> None:
    track = track[: len(track) // (20 * PER_MS) * 20 * PER_MS]
    whole, pieces, pairs = (EnergyGate(room=room, step_frames=frames) for frames in (1, 1, 2))
    whole.feed(track)
    for part in cut(track, cuts):
        pieces.feed(part)
        pairs.feed(part)

    assert whole.runs == pieces.runs == pairs.runs
    assert whole.position == pieces.position == pairs.position == len(track)


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
