"""A telephone's sound is resampled in time, whole, and without what would fold back into it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.telephone_band import DELAY_SECS, TelephoneBand

pytestmark = pytest.mark.unit

LEVEL = 8000


def tone(hz: float, rate_hz: int, secs: float = 1.0) -> NDArray[np.int16]:
    times = np.arange(round(rate_hz * secs)) / rate_hz
    return np.rint(LEVEL * np.sin(2 * np.pi * hz * times)).astype(np.int16)


def resampled(
    samples: NDArray[np.int16], rates: tuple[int, int], cuts: list[int] | None = None
) -> NDArray[np.int16]:
    """The samples at the second rate, sent in the chunks that `cuts` makes."""
    edges = [0, *sorted(cut % (len(samples) + 1) for cut in cuts or []), len(samples)]
    band = TelephoneBand()

    async def send() -> bytes:
        chunks = [samples[a:b].tobytes() for a, b in pairwise(edges)]
        return b"".join([await band.resample(chunk, *rates) for chunk in chunks])

    return np.frombuffer(asyncio.run(send()), np.int16)


def level(samples: NDArray[np.int16]) -> float:
    """Of a tone, away from its edges."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return float(np.sqrt(2 * np.mean(middle**2)))


@pytest.mark.parametrize("rates", [(8000, 16_000), (24_000, 8000), (8000, 8000)])
@pytest.mark.parametrize("hz", [300, 1000, 3000])
def test_what_a_telephone_carries_is_as_loud_as_before(rates: tuple[int, int], hz: float) -> None:
    assert level(resampled(tone(hz, rates[0]), rates)) == pytest.approx(LEVEL, rel=0.02)


@pytest.mark.parametrize("hz", [5200, 7000, 9000, 11_000])
def test_what_it_does_not_carry_is_not_folded_back(hz: float) -> None:
    assert level(resampled(tone(hz, 24_000), (24_000, 8000))) < LEVEL / 100


@pytest.mark.parametrize("hz", [300, 1000, 2800])
def test_no_image_is_heard_above_the_telephones_band(hz: float) -> None:
    wide = resampled(tone(hz, 8000), (8000, 16_000)).astype(float)
    power = np.abs(np.fft.rfft(wide * np.hanning(len(wide)))) ** 2
    assert power[5000:].sum() < power.sum() / 10_000


@pytest.mark.parametrize("rates", [(8000, 16_000), (24_000, 8000)])
def test_a_click_comes_out_at_once(rates: tuple[int, int]) -> None:
    click = np.zeros(rates[0] // 10, np.int16)
    click[0] = 20_000
    out = resampled(click, rates)
    assert int(np.argmax(np.abs(out))) == round(DELAY_SECS * rates[1])


@given(
    cuts=st.lists(st.integers(0, 4000), max_size=20),
    rates=st.sampled_from([(8000, 16_000), (24_000, 8000), (8000, 24_000), (16_000, 8000)]),
)
def test_how_it_is_cut_into_chunks_makes_no_difference(
    cuts: list[int], rates: tuple[int, int]
) -> None:
    samples = np.random.default_rng(0).integers(-20_000, 20_000, 2400).astype(np.int16)
    whole, chunks = resampled(samples, rates), resampled(samples, rates, cuts)
    assert len(whole) == len(samples) * rates[1] // rates[0]
    assert np.array_equal(whole, chunks)


def test_the_loudest_does_not_wrap_around() -> None:
    square = np.tile(np.repeat([32_767, -32_768], 12), 200).astype(np.int16)
    out = resampled(square, (24_000, 8000))[20:].astype(int)
    assert np.abs(np.diff(np.sign(out))).sum() / 2 <= 2 * len(square) / 24


async def test_a_new_call_hears_nothing_of_before() -> None:
    band = TelephoneBand()
    await band.resample(tone(1000, 24_000).tobytes(), 24_000, 8000)
    await band.reset()
    assert not any(await band.resample(bytes(960), 24_000, 8000))


@pytest.mark.parametrize("rates", [(8000, 12_000), (0, 8000)])
async def test_no_other_rates(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiple"):
        await TelephoneBand().resample(bytes(2), *rates)
