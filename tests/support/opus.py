"""Speech through aiortc's own Opus, and how much of it is left at the other end."""

from __future__ import annotations

import fractions
import importlib
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from aiortc.codecs.opus import OpusDecoder, OpusEncoder
from aiortc.jitterbuffer import JitterFrame
from av.audio.frame import AudioFrame

from tests.support.speech import RATE_HZ as IN_HZ

Samples = np.ndarray[Any, Any]


def as_sent(sound: Samples) -> list[bytes]:
    """Opus, by aiortc's own encoder; 16 kHz in."""
    encoder, packets = OpusEncoder(), list[bytes]()
    for start in range(0, len(sound) - 319, 320):
        frame = AudioFrame.from_ndarray(sound[None, start : start + 320], layout="mono")
        frame.sample_rate, frame.pts = IN_HZ, start
        frame.time_base = fractions.Fraction(1, IN_HZ)
        packets += encoder.encode(frame)[0]
    return packets


def decoded(packets: Sequence[bytes]) -> Samples:
    """What a browser makes of them: 48 kHz, its two channels put together."""
    decoder, parts = OpusDecoder(), list[Any]()
    for number, data in enumerate(packets):
        for frame in cast("list[Any]", decoder.decode(JitterFrame(data, number * 960))):
            parts.append(frame.to_ndarray().reshape(-1, 2).mean(axis=1))
    return np.concatenate(parts)


def likeness(sound: Samples, heard: Samples, *, rate_hz: int) -> float:
    """The best correlation at any shift, 0 to 1, of what a telephone would carry of both.

    Opus, told that it is speech, takes away what lies below a voice.
    """
    size = 2 ** (len(sound) + len(heard)).bit_length()
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    band = (hz >= 300) & (hz <= 3400)
    a, b = (np.fft.rfft(samples, size) * band for samples in (sound, heard))
    crossed = np.fft.irfft(b * np.conj(a), size)
    energies = [float(np.sum(np.fft.irfft(part, size) ** 2)) for part in (a, b)]
    return float(np.max(crossed)) / math.sqrt(energies[0] * energies[1])


def resampled(sound: Samples, to_hz: int) -> Samples:
    library: Any = importlib.import_module("soxr")
    return library.resample(sound, IN_HZ, to_hz)
