"""Where there is speech on a clean track, by energy alone.

Independent of the voice detector that drives the call, so that it can judge it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

FRAME_MS = 10
_BLOCK_MS = 1
_HIGH_PASS_HZ = 64.0
"""Of each of two stages, so -3 dB at 100 Hz: room rumble below it lifts the pauses of the LibriVox
clips from -62 to -48 dBFS, and their edges drown in it."""

ON_ABOVE_FLOOR_DB = 18.0
"""The clips' pauses lie within 6 dB of the floor, breaths reach 14, speech begins over 20."""
OFF_BELOW_ON_DB = 8.0
"""Keeps decays and weak endings: a final /f/ of the clips is 10 dB over the floor."""
ON_DBFS = -44.0
"""Where nothing is known of the room: breaths in the clips stay under it, their speech has its
median at -29."""
ON_MIN_DBFS, ON_MAX_DBFS = -54.0, -32.0
_SILENCE_DBFS = -120.0
_DIGITAL_SILENCE_DBFS = -95.0

_FLOOR_BLOCK_FRAMES, _FLOOR_BLOCKS = 3, 333
_SURE_BLOCKS = 67
"""Two seconds: until then all that was heard may be speech, and raises no threshold."""
_START_FRAMES = 3
"""Frames in a row above the upper threshold that make speech; a click is shorter."""
_EXTEND_FRAMES = 2
"""Frames in a row that prolong speech just ended: the burst of a final /t/."""
_DIP_FRAMES = 6
_LEAD_IN_FRAMES = 20
_HANGOVER_MS = 200
_REMEMBER_SECS = 120.0


@dataclass
class Run:
    """A stretch of speech, in samples; `open` while it goes on."""

    start: int
    end: int
    open: bool = True


@dataclass(frozen=True)
class _Frame:
    level_dbfs: float
    first_loud: int | None
    last_loud: int | None


class _HighPass:
    """Two one-pole high-pass filters in a row, vectorised over a frame."""

    def __init__(self, rate_hz: int, frame: int) -> None:
        pole = float(np.exp(-2 * np.pi * _HIGH_PASS_HZ / rate_hz))
        powers = np.arange(1, frame + 1)
        self._decay = pole**powers
        self._grow = 1.0 / self._decay
        self._gain = (1 + pole) / 2
        self._last_in = [0.0, 0.0]
        self._last_out = [0.0, 0.0]

    def filter(self, frame: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter exactly one frame."""
        for stage in (0, 1):
            steps = np.empty_like(frame)
            steps[0] = frame[0] - self._last_in[stage]
            steps[1:] = frame[1:] - frame[:-1]
            self._last_in[stage] = float(frame[-1])
            sums = np.cumsum(steps * self._gain * self._grow)
            frame = self._decay * (sums + self._last_out[stage])
            self._last_out[stage] = float(frame[-1])
        return frame


class EnergyGate:
    """Finds speech on one clean track by its energy, with hysteresis over an adaptive floor.

    Feed it chunks of any size; what it finds does not depend on how they are cut.

    Args:
        rate_hz: Samples in a second.
        room: Whether a microphone made the track; a synthetic voice has no room to adapt to.
        remember_secs: How long `runs` reaches back.

    Raises:
        ValueError: The rate is no whole number of samples in a millisecond.
    """

    def __init__(
        self,
        rate_hz: int = 16_000,
        *,
        room: bool = True,
        remember_secs: float = _REMEMBER_SECS,
    ) -> None:
        if rate_hz % 1000:
            raise ValueError(f"Tracks of {rate_hz} Hz cannot be judged; use a multiple of 1000.")
        self._room = room
        self._frame = rate_hz * FRAME_MS // 1000
        self._block = rate_hz * _BLOCK_MS // 1000
        self._hangover = rate_hz * _HANGOVER_MS // 1000
        self._keep = int(rate_hz * remember_secs)
        self._filter = _HighPass(rate_hz, self._frame)
        self._rest = np.empty(0, np.int16)
        self._floor_sum = 0.0
        self._floor_count = 0
        self._floor: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self._on_dbfs = ON_DBFS
        self._lead: deque[int] = deque(maxlen=_LEAD_IN_FRAMES)
        self._loud_row = 0
        self._on_row = 0
        self._quiet_row = 0
        self.position = 0
        """Samples judged so far."""
        self.runs: deque[Run] = deque()
        """Speech, oldest first; only the newest can be open."""

    def feed(self, samples: Samples) -> None:
        """Take the next samples of the track."""
        self._rest = np.concatenate((self._rest, samples))
        whole = len(self._rest) // self._frame * self._frame
        frames = self._rest[:whole].astype(np.float64).reshape(-1, self._frame) / 32768.0
        self._rest = self._rest[whole:]
        for frame in frames:
            self._judge(self._look(frame))

    def _look(self, samples: NDArray[np.float64]) -> _Frame:
        # Where a sound is cut off hard, the filter rings on and the track itself is silent.
        power = np.minimum(self._powers(samples), self._powers(self._filter.filter(samples)))
        level_dbfs = _dbfs(float(power.mean()))
        if level_dbfs < self._off_dbfs:
            return _Frame(level_dbfs, None, None)
        loud = np.flatnonzero(power >= 10 ** (self._off_dbfs / 10))
        first, last = int(loud[0]) * self._block, (int(loud[-1]) + 1) * self._block
        return _Frame(level_dbfs, self.position + first, self.position + last)

    def _powers(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power of each millisecond."""
        return np.square(samples).reshape(-1, self._block).mean(axis=1)

    def _judge(self, frame: _Frame) -> None:
        self.position += self._frame
        if frame.first_loud is None or frame.last_loud is None:
            self._quiet()
        else:
            self._loud(frame.first_loud, frame.last_loud, frame.level_dbfs)
        self._adapt(frame.level_dbfs)

    def _quiet(self) -> None:
        self._loud_row = self._on_row = 0
        self._lead.clear()
        self._quiet_row += 1
        if self._quiet_row >= _DIP_FRAMES and self.runs:
            self.runs[-1].open = False

    def _loud(self, first: int, last: int, level_dbfs: float) -> None:
        self._quiet_row = 0
        self._loud_row += 1
        self._on_row = self._on_row + 1 if level_dbfs >= self._on_dbfs else 0
        self._lead.append(first)
        newest = self.runs[-1] if self.runs else None
        if newest is not None and newest.open:
            if self._loud_row >= _EXTEND_FRAMES:
                newest.end = last
            return
        near = newest is not None and self._lead[0] - newest.end < self._hangover
        if self._on_row >= _START_FRAMES or (near and self._loud_row >= _EXTEND_FRAMES):
            self.runs.append(Run(self._lead[0], last))
            while self.runs[0].end < self.position - self._keep:
                self.runs.popleft()

    @property
    def _off_dbfs(self) -> float:
        return self._on_dbfs - OFF_BELOW_ON_DB

    def _adapt(self, level_dbfs: float) -> None:
        """Follow the quietest moment of the last ten seconds: nobody talks so long on one breath.

        Digital silence is no room: it fills gaps, or a noise suppressor made it.
        """
        if not self._room or level_dbfs < _DIGITAL_SILENCE_DBFS:
            return
        self._floor_sum += level_dbfs
        self._floor_count += 1
        if self._floor_count < _FLOOR_BLOCK_FRAMES:
            return
        self._floor.append(self._floor_sum / _FLOOR_BLOCK_FRAMES)
        self._floor_sum, self._floor_count = 0.0, 0
        wanted_dbfs = min(self._floor) + ON_ABOVE_FLOOR_DB
        if len(self._floor) < _SURE_BLOCKS:
            wanted_dbfs = min(wanted_dbfs, ON_DBFS)
        self._on_dbfs = min(max(wanted_dbfs, ON_MIN_DBFS), ON_MAX_DBFS)


def speech(samples: Samples, rate_hz: int) -> list[tuple[int, int]]:
    """Start and end of each stretch of speech on one track, in samples."""
    gate = EnergyGate(rate_hz, remember_secs=len(samples) / rate_hz)
    gate.feed(samples)
    return [(run.start, run.end) for run in gate.runs]


def _dbfs(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 1e-12 else _SILENCE_DBFS
