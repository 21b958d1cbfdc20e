"""The silence around synthesised speech: most of it is time that the caller waits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FRAME_SECS = 0.005
_AUDIBLE_DB = -45.0
"""Below the loudest frame of the chunk."""
_LEAD_SECS = 0.02
_SENTENCE_TAIL_SECS = 0.25
_CLAUSE_TAIL_SECS = 0.11
_PHRASE_TAIL_SECS = 0.05


def tail_secs(text: str) -> float:
    """How long a pause after `text` sounds natural: sentence, clause, or mid-phrase."""
    last = text.rstrip("\"')]} ")[-1:]
    if last in (".", "!", "?"):
        return _SENTENCE_TAIL_SECS
    return _CLAUSE_TAIL_SECS if last in (",", ";", ":") else _PHRASE_TAIL_SECS


def trim(samples: NDArray[np.int16], sample_rate_hz: int, *, tail_secs: float) -> bytes:
    """Cut silence before (all but 20 ms) and after (all but `tail_secs`); int16 LE mono."""
    size = max(1, round(sample_rate_hz * _FRAME_SECS))
    whole = samples[: samples.size // size * size].astype(np.float32).reshape(-1, size)
    level = np.sqrt((whole**2).mean(axis=1)) if whole.size else np.zeros(0, np.float32)
    audible = np.flatnonzero(level > level.max(initial=0.0) * 10 ** (_AUDIBLE_DB / 20))
    if not audible.size:
        return b""
    start = max(0, int(audible[0]) * size - round(_LEAD_SECS * sample_rate_hz))
    end = (int(audible[-1]) + 1) * size + round(tail_secs * sample_rate_hz)
    return samples[start:end].astype("<i2").tobytes()
