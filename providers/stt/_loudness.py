"""Tells speech from quiet by level alone, 10 ms of audio at a time; quicker than a VAD."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

FRAME_MS = 10
_LOWEST_DB = -80.0


def level_db(frame: bytes) -> float:
    """RMS level of int16 LE audio in dB below full scale, at least -80."""
    samples = np.frombuffer(frame, "<i2").astype(np.float32) / 32768.0
    power = float(np.dot(samples, samples)) / max(1, samples.size)
    return max(_LOWEST_DB, 10.0 * float(np.log10(power + 1e-12)))


@dataclass(frozen=True)
class LoudnessTuning:
    """Where quiet ends; the defaults were fitted on read speech, clean and with room noise."""

    below_peak_db: float = 18.0
    """Quiet is this far below the loudest speech of the segment..."""
    above_floor_db: float = 6.0
    """...or this close to the room's own level, whichever is louder..."""
    headroom_db: float = 8.0
    """...but never closer than this to the loudest speech."""
    hysteresis_db: float = 4.0
    """How much louder than that quiet may grow before it has ended."""
    peak_fall_db: float = 0.05
    """How fast the loudest speech is forgotten, per 10 ms."""
    floor_rise_db: float = 0.03
    """How fast a louder room is believed, per 10 ms."""
    smooth_frames: int = 3
    """Frames averaged before they are judged."""


@dataclass
class Loudness:
    """Judges each frame against the room before the speech and the peak within it.

    Frames are fed all the time; `begin` starts a stretch of speech.
    """

    tuning: LoudnessTuning = field(default_factory=LoudnessTuning)
    quiet_ms: int = 0
    """Length of the quiet that lasts until now; 0 in speech."""
    loud_ms: int = 0
    """Length of the speech that lasts until now; 0 in quiet."""
    voiced_ms: int = 0
    """Speech since `begin`, its pauses not counted."""
    _floor_db: float = _LOWEST_DB
    _peak_db: float = _LOWEST_DB
    _recent_db: deque[float] = field(default_factory=deque[float])

    def begin(self, earlier_db: list[float]) -> int:
        """Start a stretch of speech whose first frames, `earlier_db`, were heard already.

        Returns:
            How many of them are quiet before the first that is speech.
        """
        self.quiet_ms = self.loud_ms = self.voiced_ms = 0
        self._peak_db = max(earlier_db, default=_LOWEST_DB)
        onset = len(earlier_db)
        for index, smoothed_db in enumerate(earlier_db):
            self._judge(smoothed_db)
            if self.voiced_ms and onset == len(earlier_db):
                onset = index
        return onset

    def feed(self, frame_db: float) -> float:
        """Take the level of the next frame; return it smoothed."""
        self._recent_db.append(frame_db)
        if len(self._recent_db) > self.tuning.smooth_frames:
            self._recent_db.popleft()
        smoothed_db = sum(self._recent_db) / len(self._recent_db)
        self._floor_db = min(smoothed_db, self._floor_db + self.tuning.floor_rise_db)
        self._judge(smoothed_db)
        return smoothed_db

    def _judge(self, smoothed_db: float) -> None:
        tuning = self.tuning
        self._peak_db = max(smoothed_db, self._peak_db - tuning.peak_fall_db)
        threshold_db = min(
            max(self._floor_db + tuning.above_floor_db, self._peak_db - tuning.below_peak_db),
            self._peak_db - tuning.headroom_db,
        )
        if self.quiet_ms:
            threshold_db += tuning.hysteresis_db
        if smoothed_db < threshold_db:
            self.quiet_ms += FRAME_MS
            self.loud_ms = 0
        else:
            self.loud_ms += FRAME_MS
            self.voiced_ms += FRAME_MS
            self.quiet_ms = 0
