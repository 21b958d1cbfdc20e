"""Where there is speech on a clean track, by energy alone.

Independent of the voice detector that drives the call, so that it can judge it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Powers = list[float]
"""Of each millisecond of a frame; full scale is 1."""

FRAME_MS = 10
_BLOCK_MS = 1
_HIGH_PASS_HZ = 64.0
"""Of each of two stages, so -3 dB at 100 Hz: room rumble below it lifts the pauses of the LibriVox
clips from -62 to -48 dBFS, and their edges drown in it."""
_RINGS_MS = 200
"""Of digital silence, after which nothing above 1e-30 is left in the filters."""

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


class _HighPass:
    """A one-pole high-pass filter, vectorised over a step."""

    def __init__(self, rate_hz: int, step: int) -> None:
        pole = float(np.exp(-2 * np.pi * _HIGH_PASS_HZ / rate_hz))
        self._decay = pole ** np.arange(1, step + 1)
        self._grow = (1 + pole) / 2 / self._decay
        self._last_in = 0.0
        self._sums = np.zeros(step + 1)
        """The first is the last output."""

    def filter(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter exactly one step."""
        changes = self._sums[1:]
        changes[0] = samples[0] - self._last_in
        np.subtract(samples[1:], samples[:-1], out=changes[1:])
        np.multiply(changes, self._grow, out=changes)
        np.add.accumulate(self._sums, out=self._sums)
        filtered = changes * self._decay
        self._last_in, self._sums[0] = samples[-1], filtered[-1]
        return filtered

    def clear(self) -> None:
        """Forget what was."""
        self._last_in = self._sums[0] = 0.0


class Meter:
    """How strong each millisecond of a track is; rumble does not count.

    Args:
        rate_hz: Samples in a second, a multiple of 1000.
        frames: How many frames are measured at once.
    """

    def __init__(self, rate_hz: int, frames: int) -> None:
        block = rate_hz * _BLOCK_MS // 1000
        self._step = rate_hz * FRAME_MS // 1000 * frames
        self._samples = np.zeros(self._step)
        self._filled = 0
        self._shape = (frames, FRAME_MS // _BLOCK_MS, block)
        self._scale = 1 / (block * 32768.0**2)
        self._filters = (_HighPass(rate_hz, self._step), _HighPass(rate_hz, self._step))
        self._rings_steps = math.ceil(_RINGS_MS / (FRAME_MS * frames))
        self._silent_steps = 0

    def feed(self, samples: Samples) -> Iterator[Powers]:
        """Take the next samples; what is left of a step waits for more.

        Yields:
            One frame after the other.
        """
        at = 0
        while at < len(samples):
            until = min(at + self._step - self._filled, len(samples))
            filled = self._filled + until - at
            self._samples[self._filled : filled] = samples[at:until]
            at, self._filled = until, filled % self._step
            if not self._filled:
                yield from self._measure()

    def _measure(self) -> list[Powers]:
        raw = self._powers(self._samples)
        if np.count_nonzero(raw):
            self._silent_steps = 0
        else:
            self._silent_steps += 1
        if self._silent_steps > self._rings_steps:
            for stage in self._filters:
                stage.clear()
            return raw.tolist()
        filtered = self._samples
        for stage in self._filters:
            filtered = stage.filter(filtered)
        # Where a sound is cut off hard, the filter rings on and the track itself is silent.
        return np.minimum(raw, self._powers(filtered)).tolist()

    def _powers(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        blocks = samples.reshape(self._shape)
        return np.vecdot(blocks, blocks) * self._scale


class EnergyGate:
    """Finds speech on one clean track by its energy, with hysteresis over an adaptive floor.

    Feed it chunks of any size; what it finds does not depend on how they are cut.

    Args:
        rate_hz: Samples in a second.
        room: Whether a microphone made the track; a synthetic voice has no room to adapt to.
        remember_secs: How long `runs` reaches back.
        step_frames: How many frames of 10 ms are judged at once, up to 4; more cost less each.

    Raises:
        ValueError: The rate is no whole number of samples in a millisecond.
    """

    def __init__(
        self,
        rate_hz: int = 16_000,
        *,
        room: bool = True,
        remember_secs: float = _REMEMBER_SECS,
        step_frames: int = 1,
    ) -> None:
        if rate_hz % 1000:
            raise ValueError(f"Tracks of {rate_hz} Hz cannot be judged; use a multiple of 1000.")
        self._room = room
        self._frame = rate_hz * FRAME_MS // 1000
        self._block = rate_hz * _BLOCK_MS // 1000
        self._hangover = rate_hz * _HANGOVER_MS // 1000
        self._keep = int(rate_hz * remember_secs)
        self._meter = Meter(rate_hz, step_frames)
        self._floor_sum = 0.0
        self._floor_count = 0
        self._floor: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self._floor_dbfs = math.inf
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
        for powers in self._meter.feed(samples):
            self._judge(powers)

    def _judge(self, powers: Powers) -> None:
        level_dbfs = _dbfs(sum(powers) / len(powers))
        loud = self._loud_ms(powers) if level_dbfs >= self._off_dbfs else []
        start = self.position
        self.position += self._frame
        if loud:
            first, last = loud[0] * self._block, (loud[-1] + 1) * self._block
            self._loud(start + first, start + last, level_dbfs)
        else:
            self._quiet()
        self._adapt(level_dbfs)

    def _loud_ms(self, powers: Powers) -> list[int]:
        off = 10 ** (self._off_dbfs / 10)
        return [at for at, power in enumerate(powers) if power >= off]

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
        self._sink(self._floor_sum / _FLOOR_BLOCK_FRAMES)
        self._floor_sum, self._floor_count = 0.0, 0
        wanted_dbfs = self._floor_dbfs + ON_ABOVE_FLOOR_DB
        if len(self._floor) < _SURE_BLOCKS:
            wanted_dbfs = min(wanted_dbfs, ON_DBFS)
        self._on_dbfs = min(max(wanted_dbfs, ON_MIN_DBFS), ON_MAX_DBFS)

    def _sink(self, level_dbfs: float) -> None:
        """Know the lowest level without a look at all of them each time."""
        forgets = len(self._floor) == _FLOOR_BLOCKS and self._floor[0] <= self._floor_dbfs
        self._floor.append(level_dbfs)
        self._floor_dbfs = min(self._floor) if forgets else min(self._floor_dbfs, level_dbfs)


def speech(samples: Samples, rate_hz: int) -> list[tuple[int, int]]:
    """Start and end of each stretch of speech on one track, in samples."""
    gate = EnergyGate(rate_hz, remember_secs=len(samples) / rate_hz)
    gate.feed(samples)
    return [(run.start, run.end) for run in gate.runs]


def _dbfs(power: float) -> float:
    return 10 * math.log10(power) if power > 1e-12 else _SILENCE_DBFS
