"""Whether what the microphone hears is the bot itself, leaking back from a loudspeaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STEP_MS = 20
WINDOW_STEPS = 50
"""One second: a few words. In less, two speakers run alike by chance at one of the delays."""
LAG_STEPS = 25
"""500 ms: a network there and back, two jitter buffers, a Bluetooth headset."""
LEARN_STEPS = 10
"""200 ms between two attempts to learn the path."""
ALIKE = 0.75
"""Correlation from which the one is the other's echo: of human speech 10 to 30 dB down, 99 in 100
seconds have more; of two speakers, at the best of all delays, 1 in 100 has more than 0.66."""
ENOUGH_STEPS = 8
BELOW_DB = 4.0
"""What leaks is weaker than what was sent; most loudspeakers and rooms take 10 dB or more."""
RECENT_STEPS = 5
EXCESS_DB = 4.0
"""By how much more than expected an echo is heard on average; another voice is 10 dB more."""
ERROR_DB = 5.0
"""How far an echo may be from what is expected of it, on average, to be learned from."""
_AUDIBLE_DB = 3.0
_PLAYING_DB = -50.0
_EDGES_HZ = (150, 400, 700, 1100, 1700, 2500, 3600)
_FLOOR = 1e-8
"""Power of silence, of a full scale of 1: -80 dB."""
_ROOM_DB = -68.0
"""What is weaker is taken for the room's own sound; bends of it mean nothing."""
_GAP_STEPS = 4
_KEPT_STEPS = WINDOW_STEPS + LAG_STEPS + _GAP_STEPS

Bands = NDArray[np.float64]


def bands(audio: bytes, rate_hz: int) -> Bands:
    """Power of some 20 ms in each band of speech; full scale is 1.

    Args:
        audio: int16 LE mono.
        rate_hz: Of it.
    """
    samples = np.frombuffer(audio, "<i2").astype(np.float64) / 32768
    count = len(_EDGES_HZ) - 1
    if len(samples) < 2:
        return np.zeros(count)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    # Parseval, and what the window takes.
    power *= 2 / len(samples) ** 2 / 0.375
    edges = (np.array(_EDGES_HZ) * len(samples) / rate_hz).astype(int)
    return np.array([power[a:b].sum() for a, b in pairwise(edges)])


@dataclass
class _Track:
    """The last second of one side, a row of bands each 20 ms; silence where there was nothing."""

    rows: Bands = field(default_factory=lambda: np.full((_KEPT_STEPS, len(_EDGES_HZ) - 1), _FLOOR))
    end: int = 0
    """The step after the last one that is known."""

    def put(self, row: Bands, now_ms: float) -> None:
        """Add 20 ms that end about now; what comes a little early or late is put in its place."""
        now = round(now_ms / STEP_MS)
        if abs(now - self.end) > _GAP_STEPS:
            self.advance(now)
        self.advance(self.end + 1)
        self.rows[-1] = np.maximum(row, _FLOOR)

    def advance(self, end: int) -> None:
        """Let silence pass until that step."""
        steps = min(max(0, end - self.end), _KEPT_STEPS)
        if steps:
            self.rows = np.roll(self.rows, -steps, axis=0)
            self.rows[-steps:] = _FLOOR
        self.end = end

    def until(self, end: int) -> Bands:
        """All that is kept, as decibels, the last row that of step `end`."""
        missing = max(0, min(end - self.end, _KEPT_STEPS))
        silence = np.full((missing, self.rows.shape[1]), _FLOOR)
        rows = np.concatenate((self.rows, silence))
        surplus = max(0, self.end - end)
        rows = rows[: len(rows) - surplus] if surplus else rows
        return 10 * np.log10(rows)


@dataclass(frozen=True)
class _Path:
    """How the bot comes back."""

    lag: int
    """In steps."""
    gain_db: Bands
    """In each band; negative."""


class EchoGuess:
    """Learns how the bot comes back, and says whether the latest sound is explained by that. Pure.

    The path is the delay at which the levels of the two sounds, band by band, run alike for a
    second, and the loss in each band. It needs no help from the caller's side; a browser and a
    telephone cancel echoes themselves, and then there is none to learn.
    """

    def __init__(self) -> None:
        self._bot = _Track()
        self._caller = _Track()
        self._path: _Path | None = None
        self._heard = 0

    def bot(self, audio: bytes, rate_hz: int, *, now_ms: float) -> None:
        """About 20 ms of the bot were sent."""
        self._bot.put(bands(audio, rate_hz), now_ms)

    def caller(self, audio: bytes, rate_hz: int, *, now_ms: float) -> None:
        """About 20 ms came from the microphone."""
        self._caller.put(bands(audio, rate_hz), now_ms)
        self._heard += 1
        if self._heard % LEARN_STEPS == 0:
            self._learn()

    def likely(self) -> bool:
        """Whether the latest 100 ms from the microphone are the bot's own sound."""
        path = self._path
        if path is None:
            return False
        mic, sent = self._both()
        recent = mic[-RECENT_STEPS:]
        lags = (path.lag - 1, path.lag, path.lag + 1)
        return any(
            _explains(recent, _at(sent, lag, RECENT_STEPS) + path.gain_db)
            for lag in lags
            if 0 <= lag <= LAG_STEPS
        )

    def _both(self) -> tuple[Bands, Bands]:
        """The latest of both in dB: the microphone's, and of the bot's as much more as it lags."""
        end = self._caller.end
        mic = np.maximum(self._caller.until(end)[-WINDOW_STEPS:], _ROOM_DB)
        return mic, self._bot.until(end)[-WINDOW_STEPS - LAG_STEPS :]

    def _learn(self) -> None:
        mic, sent = self._both()
        # A bot that is held, or done, teaches nothing: what is heard then is somebody else.
        if float(sent[-LEARN_STEPS:].max()) < _PLAYING_DB or float(mic.max()) <= _ROOM_DB:
            return
        best, alike = max(
            ((lag, _alike(mic, _at(sent, lag, WINDOW_STEPS))) for lag in range(LAG_STEPS + 1)),
            key=lambda found: found[1],
        )
        if alike < ALIKE:
            return
        then = _at(sent, best, WINDOW_STEPS)
        audible = (mic > _ROOM_DB + _AUDIBLE_DB).sum(axis=1) >= 2
        if audible.sum() < ENOUGH_STEPS:
            return
        gain_db = np.median((mic - then)[audible], axis=0)
        error_db = float(np.abs(mic - then - gain_db)[audible].mean())
        if error_db <= ERROR_DB and _level_db(then) - _level_db(mic) >= BELOW_DB:
            self._path = _Path(best, gain_db)


def _at(sent: Bands, lag: int, steps: int) -> Bands:
    """What was sent so long before the end."""
    end = len(sent) - lag
    return sent[end - steps : end]


def _alike(mic: Bands, sent: Bands) -> float:
    """Correlation of the levels, -1 to 1."""
    loss_db = max(_level_db(sent) - _level_db(mic), 0.0)
    heard = np.maximum(sent - loss_db, _ROOM_DB)
    a, b = mic - mic.mean(axis=0), heard - heard.mean(axis=0)
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else 0.0


def _explains(mic: Bands, expected: Bands) -> bool:
    """Whether what is heard is what was expected, and nothing on top of it."""
    expected = np.maximum(expected, _ROOM_DB)
    if not (expected > _ROOM_DB).any():
        return False
    return float(np.maximum(mic - expected, 0.0).mean()) < EXCESS_DB


def _level_db(rows: Bands) -> float:
    """Of all the power together."""
    return float(10 * np.log10(np.power(10, rows / 10).sum()))
