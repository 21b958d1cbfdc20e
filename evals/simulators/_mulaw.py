"""µ-law (ITU-T G.711), as telephones send it: a byte a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SILENCE = b"\xff"
_BIAS = 0x84


def _levels() -> NDArray[np.int16]:
    """What each byte stands for."""
    inverted = ~np.arange(256, dtype=np.uint8)
    exponents = (inverted & 0x70) >> 4
    steps = (((inverted & 0x0F).astype(np.int32) << 3) + _BIAS) << exponents
    return np.where(inverted & 0x80, _BIAS - steps, steps - _BIAS).astype(np.int16)


def expand(sound: bytes) -> NDArray[np.int16]:
    """The samples of the bytes."""
    return _levels()[np.frombuffer(sound, np.uint8)]


def compress(samples: NDArray[np.int16]) -> bytes:
    """The byte that is nearest to each sample."""
    levels = _levels().astype(np.int32)
    order = np.argsort(levels, kind="stable")
    between = (levels[order][1:] + levels[order][:-1]) / 2
    return order[np.searchsorted(between, samples)].astype(np.uint8).tobytes()
