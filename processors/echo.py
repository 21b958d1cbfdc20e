"""Whether what the microphone hears is the bot itself, leaking back from a loudspeaker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, pairwise

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
_BANDS = len(_EDGES_HZ) - 1
_FLOOR = 1e-8
"""Power of silence, of a full scale of 1: -80 dB."""
_ROOM_DB = -68.0
"""What is weaker is taken for the room's own sound; bends of it mean nothing."""
_GAP_STEPS = 4
_KEPT_STEPS = WINDOW_STEPS + LAG_STEPS + 2 * _GAP_STEPS
"""The one side may be so much ahead, and the other behind."""
_LAGS = np.arange(LAG_STEPS + 1)
_SHIFTED = LAG_STEPS - _LAGS[:, np.newaxis] + np.arange(WINDOW_STEPS)
"""For each lag the steps of a window, counted from the earliest of all."""

Bands = NDArray[np.float64]


def bands(audio: bytes, rate_hz: int, *, pieces: int = 1) -> Bands:
    """Power of some 20 ms in each band of speech, a row for each piece; full scale is 1.

    Args:
        audio: int16 LE mono.
        rate_hz: Of it.
        pieces: How many of equal length there are.
    """
    samples = np.frombuffer(audio, "<i2").reshape(pieces, -1)
    if samples.shape[1] < 2:
        return np.zeros((pieces, _BANDS))
    window, sums = _lens(samples.shape[1], rate_hz)
    spectrum = np.fft.rfft(samples * window)
    return (spectrum.real**2 + spectrum.imag**2) @ sums


@lru_cache(maxsize=8)
def _lens(count: int, rate_hz: int) -> tuple[Bands, Bands]:
    """A window for so many samples, and what sums the powers of their spectrum band by band."""
    sums = np.zeros((count // 2 + 1, _BANDS))
    edges = (np.array(_EDGES_HZ) * count / rate_hz).astype(int)
    for band, (a, b) in enumerate(pairwise(edges)):
        # Parseval, and what the window takes.
        sums[a:b, band] = 2 / count**2 / 0.375
    return np.hanning(count) / 32768, sums


@dataclass
class _Chunk:
    """About 20 ms of sound."""

    audio: bytes
    rate_hz: int
    levels_db: Bands


_SILENCE = _Chunk(b"", 0, np.full(_BANDS, 10 * np.log10(_FLOOR)))


@dataclass
class _Track:
    """The last second of one side, a chunk each 20 ms; silence where there was nothing.

    Sound is measured when it is asked for: nobody asks for the caller's while the bot is silent.
    """

    chunks: deque[_Chunk] = field(
        default_factory=lambda: deque([_SILENCE] * _KEPT_STEPS, _KEPT_STEPS)
    )
    unmeasured: deque[_Chunk] = field(default_factory=lambda: deque(maxlen=_KEPT_STEPS))
    end: int = 0
    """The step after the last one that is known."""

    def put(self, audio: bytes, rate_hz: int, now_ms: float) -> None:
        """Add 20 ms that end about now; what comes a little early or late is put in its place."""
        now = round(now_ms / STEP_MS)
        if abs(now - self.end) > _GAP_STEPS:
            self.advance(now)
        self.advance(self.end + 1)
        chunk = _Chunk(audio, rate_hz, _SILENCE.levels_db)
        self.chunks[-1] = chunk
        self.unmeasured.append(chunk)

    def advance(self, end: int) -> None:
        """Let silence pass until that step."""
        steps = min(max(0, end - self.end), _KEPT_STEPS)
        self.chunks.extend([_SILENCE] * steps)
        self.end = end

    def until(self, end: int, steps: int) -> Bands:
        """So many rows of decibels, the last one that of step `end`."""
        self._measure()
        first = _KEPT_STEPS - (self.end - end) - steps
        kept = list(self.chunks)
        wanted = range(first, first + steps)
        chunks = [kept[at] if 0 <= at < _KEPT_STEPS else _SILENCE for at in wanted]
        return np.concatenate([chunk.levels_db for chunk in chunks]).reshape(steps, _BANDS)

    def _measure(self) -> None:
        """All that sounds alike at once: one transform of ten costs little more than one of one."""
        for (_, rate_hz), alike in groupby(self.unmeasured, lambda c: (len(c.audio), c.rate_hz)):
            chunks = list(alike)
            powers = bands(b"".join(c.audio for c in chunks), rate_hz, pieces=len(chunks))
            for chunk, row in zip(chunks, 10 * np.log10(np.maximum(powers, _FLOOR)), strict=True):
                chunk.levels_db, chunk.audio = row, b""
        self.unmeasured.clear()


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
        self._bot.put(audio, rate_hz, now_ms)

    def caller(self, audio: bytes, rate_hz: int, *, now_ms: float) -> None:
        """About 20 ms came from the microphone, or some of these at once."""
        step_bytes = rate_hz * STEP_MS // 1000 * 2
        steps = max(1, len(audio) // step_bytes)
        for step in range(steps):
            last = step == steps - 1
            piece = audio[step * step_bytes : None if last else (step + 1) * step_bytes]
            self._caller.put(piece, rate_hz, now_ms - (steps - 1 - step) * STEP_MS)
            self._heard += 1
            if self._heard % LEARN_STEPS == 0:
                self._learn()

    def likely(self) -> bool:
        """Whether the latest 100 ms from the microphone are the bot's own sound."""
        path = self._path
        if path is None:
            return False
        recent = self._heard_db(RECENT_STEPS)
        sent = self._bot.until(self._caller.end, RECENT_STEPS + LAG_STEPS)
        lags = (path.lag - 1, path.lag, path.lag + 1)
        return any(
            _explains(recent, _at(sent, lag, RECENT_STEPS) + path.gain_db)
            for lag in lags
            if 0 <= lag <= LAG_STEPS
        )

    def _heard_db(self, steps: int) -> Bands:
        """The latest from the microphone."""
        return np.maximum(self._caller.until(self._caller.end, steps), _ROOM_DB)

    def _learn(self) -> None:
        sent = self._bot.until(self._caller.end, WINDOW_STEPS + LAG_STEPS)
        # A bot that is held, or done, teaches nothing: what is heard then is somebody else.
        if float(sent[-LEARN_STEPS:].max()) < _PLAYING_DB:
            return
        mic = self._heard_db(WINDOW_STEPS)
        if float(mic.max()) <= _ROOM_DB:
            return
        alike = _alike(mic, sent)
        best = int(alike.argmax())
        if alike[best] < ALIKE:
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


def _alike(mic: Bands, sent: Bands) -> NDArray[np.float64]:
    """For each lag the correlation of the levels, -1 to 1."""
    power = np.power(10, sent / 10).sum(axis=1)[_SHIFTED].sum(axis=1)
    loss_db = np.maximum(10 * np.log10(power) - _level_db(mic), 0.0)
    heard = np.maximum(sent[_SHIFTED] - loss_db[:, np.newaxis, np.newaxis], _ROOM_DB)
    a = (mic - mic.mean(axis=0)).ravel()
    b = (heard - heard.mean(axis=1, keepdims=True)).reshape(len(_LAGS), -1)
    spread = np.sqrt((a @ a) * np.vecdot(b, b))
    return np.divide(b @ a, spread, out=np.zeros(len(_LAGS)), where=spread > 0)


def _explains(mic: Bands, expected: Bands) -> bool:
    """Whether what is heard is what was expected, and nothing on top of it."""
    expected = np.maximum(expected, _ROOM_DB)
    if not (expected > _ROOM_DB).any():
        return False
    return float(np.maximum(mic - expected, 0.0).mean()) < EXCESS_DB


def _level_db(rows: Bands) -> float:
    """Of all the power together."""
    return float(10 * np.log10(np.power(10, rows / 10).sum()))
