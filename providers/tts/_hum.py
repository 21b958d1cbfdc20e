"""A voice that only hums: a tone as long as the words would take. Pure."""

from __future__ import annotations

import numpy as np

_PULSE_HZ = 4.0


def hum(text: str, *, char_secs: float, pitch_hz: float, sample_rate_hz: int) -> bytes:
    """A pulsing tone as long as `text` takes to say; int16 LE mono, peak -12 dBFS."""
    count = round(len(text) * char_secs * sample_rate_hz)
    time = np.arange(count) / sample_rate_hz
    pulse = 0.6 - 0.4 * np.cos(2 * np.pi * _PULSE_HZ * time)
    wave = 0.25 * pulse * np.sin(2 * np.pi * pitch_hz * time)
    return (wave * 32767).astype("<i2").tobytes()
