"""Human clips whose edges are known, and synthetic voices whose edges are exact."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from records.gate import Samples

RATE_HZ = 16_000
PER_MS = RATE_HZ // 1000
CLIPS = Path("/usr/share/pocketsphinx/test/data/librivox")
EDGES_MS = {"0870": (247, 6830), "0880": (268, 2792), "0890": (260, 5066), "0920": (264, 5808)}
"""First and last speech of the clips, read off their waveforms (4 ms windows, -52 dBFS)."""

Spans = list[tuple[int, int]]


def voice(spans: Spans, total_ms: int, *, level: float = 0.1, noise: float = 0.0) -> Samples:
    """A track of buzzes between the given milliseconds over faint noise."""
    times = np.arange(total_ms * PER_MS) / RATE_HZ
    buzz = np.sign(np.sin(2 * np.pi * 180 * times)) * level
    track = np.random.default_rng(0).normal(0, noise, len(times)) if noise else np.zeros(len(times))
    for start, end in spans:
        track[start * PER_MS : end * PER_MS] += buzz[start * PER_MS : end * PER_MS]
    return np.clip(track * 32768, -32768, 32767).astype(np.int16)


def clip(name: str) -> Samples:
    path = CLIPS / f"sense_and_sensibility_01_austen_64kb-{name}.wav"
    with wave.open(str(path)) as source:
        return np.frombuffer(source.readframes(source.getnframes()), np.int16)
