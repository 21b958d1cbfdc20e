"""Resampling between a telephone's 8 kHz and the pipeline's rates, 1.5 ms late."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pipecat.audio.resamplers.base_audio_resampler import BaseAudioResampler

Floats = NDArray[np.float64]

DELAY_SECS = 0.0015
"""By how much the filter is late, either way."""
_PASSED_HZ = 3900
"""Half-way between what a telephone carries and what would be folded back into it."""
_KAISER_BETA = 5.0
_LOUDEST = 32767


class TelephoneBand(BaseAudioResampler):
    """One direction of one call: 8 kHz to a multiple of it, or back.

    Pipecat's own stream resampler is 40 to 50 ms late, which the caller would wait in each turn,
    and keeps as much of a sentence's end until the next begins.
    """

    def __init__(self) -> None:
        self._past: Floats = np.zeros(0)
        """The last samples of before, as many as the filter looks back."""
        self._skip = 0
        """How many samples of the next chunk come before the first that is kept."""

    async def resample(self, audio: bytes, in_rate: int, out_rate: int) -> bytes:
        """The next chunk at the other rate; int16 LE mono of any length, none included.

        Raises:
            ValueError: Neither rate is a multiple of the other.
        """
        low_hz, high_hz = sorted((in_rate, out_rate))
        if not low_hz or high_hz % low_hz:
            raise ValueError(f"{high_hz} Hz is no multiple of {low_hz} Hz.")
        factor = high_hz // low_hz
        samples = np.frombuffer(audio, "<i2").astype(np.float64)
        if in_rate < out_rate:
            high = self._filter(_spread(samples, factor), high_hz)
        else:
            high = self._thin(self._filter(samples, high_hz), factor)
        return np.clip(np.rint(high), -_LOUDEST, _LOUDEST).astype("<i2").tobytes()

    async def reset(self) -> None:
        """Forget what came before."""
        self._past, self._skip = np.zeros(0), 0

    def _filter(self, samples: Floats, rate_hz: int) -> Floats:
        taps = _taps(rate_hz)
        if not len(self._past):
            self._past = np.zeros(len(taps) - 1)
        joined = np.concatenate([self._past, samples])
        self._past = joined[len(samples) :]
        return np.convolve(joined, taps, "valid") if len(samples) else samples

    def _thin(self, samples: Floats, factor: int) -> Floats:
        kept = samples[self._skip :: factor]
        self._skip = (self._skip - len(samples)) % factor
        return kept


def _spread(samples: Floats, factor: int) -> Floats:
    """The samples as loud as before with silence between, which the filter fills."""
    spread = np.zeros(len(samples) * factor)
    spread[::factor] = samples * factor
    return spread


@cache
def _taps(rate_hz: int) -> Floats:
    """A low-pass of linear phase, as long as twice the delay."""
    reach = round(DELAY_SECS * rate_hz)
    times = np.arange(-reach, reach + 1)
    band = 2 * _PASSED_HZ / rate_hz
    taps = band * np.sinc(band * times) * np.kaiser(2 * reach + 1, _KAISER_BETA)
    return taps / taps.sum()
