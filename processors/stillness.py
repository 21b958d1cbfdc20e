"""Sound that is all but silent: it can wait, and needs no judging. Pure."""

from __future__ import annotations

import numpy as np

STILL_PEAK = 33
"""Of 32768, -60 dBFS: below it is what a browser that takes noise away leaves of a room, what a
telephone sends between words, and a microphone that is off."""
STILL_SECS = 1.5
"""Of stillness before sound waits. What waits for a caller's silence, a recogniser's last words or
the end of a turn, has long seen enough of it."""
TOGETHER_SECS = 0.06
"""So much of it goes on at once. Recognisers take 20 to 250 ms at a time."""
_ROUNDING_SECS = 0.001


def still(audio: bytes) -> bool:
    """Whether that sound is all but silent, int16 LE."""
    samples = np.frombuffer(audio, "<i2")
    return not len(samples) or (
        int(samples.max()) < STILL_PEAK and int(samples.min()) > -STILL_PEAK
    )


class Stillness:
    """Says which sound of a stream may wait for what comes behind it.

    Only what is still, behind a longer stillness: the first sound that can be heard goes on as it
    comes, and so do the first `STILL_SECS` of each silence.
    """

    def __init__(self) -> None:
        self._still_secs = 0.0
        self._held_secs = 0.0

    def waits(self, audio: bytes, secs: float) -> bool:
        """Whether that sound is to be kept for the next; with False, what was kept goes on too.

        Args:
            audio: int16 LE, any number of channels.
            secs: How long it lasts.
        """
        self._still_secs = self._still_secs + secs if still(audio) else 0.0
        self._held_secs += secs
        full = self._held_secs + secs > TOGETHER_SECS + _ROUNDING_SECS
        if self._still_secs <= STILL_SECS or full:
            self._held_secs = 0.0
            return False
        return True
